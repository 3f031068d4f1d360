//! `POST /events`: CloudEvents.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::Edge;
use crate::accept::Accepted;
use crate::cloud_events::BatchAnswer;
use crate::deadline::Deadline;
use crate::problem::{Problem, ProblemBody};

/// Takes CloudEvents 1.0: one (structured, or binary with `ce-` headers), a batch, or newline-delimited ones. The type
/// chooses the topic: `millrace.notification.*`, `millrace.order.*`, `millrace.login.*` and `millrace.log.*` have one
/// each, all others go to `events`.
#[utoipa::path(
    post,
    path = "/events",
    params(("Idempotency-Key" = Option<String>, Header, description = "Becomes the id of a single event; not allowed on batches")),
    request_body(
        description = "The events; their `data` is written as it was sent",
        content(
            (serde_json::Value = "application/cloudevents+json", example = json!({
                "specversion": "1.0", "id": "1", "source": "/shop", "type": "millrace.order.placed", "data": {"order_id": "101"},
            })),
            (serde_json::Value = "application/cloudevents-batch+json", example = json!([{
                "specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.page", "data": {"page": "/"},
            }])),
            (String = "application/x-ndjson"),
            (serde_json::Value = "application/json", example = json!({"order_id": "101"})),
        ),
    ),
    responses(
        (status = 202, description = "Every in-sync replica has them", content(
            (Accepted = "application/json"), (BatchAnswer = "application/json"))),
        (status = 207, description = "Some were accepted", body = BatchAnswer),
        (status = 400, description = "Not JSON, or an Idempotency-Key that is none or stands on a batch", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Another media type or encoding", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Faults in the event, or none of the batch accepted", content((ProblemBody = "application/problem+json"), (BatchAnswer = "application/json"))),
        (status = 429, description = "Too much at once", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nothing was written", content((ProblemBody = "application/problem+json"), (BatchAnswer = "application/json"))),
        (status = 504, description = "It may have been written", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn take(
    State(edge): State<Edge>,
    deadline: Deadline,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let contents = edge.read(&headers, body, deadline).await?;
    edge.cloud_events(&headers, &contents.bytes, deadline).await
}
