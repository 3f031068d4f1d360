//! `POST /events`: CloudEvents.

use axum::extract::{Request, State};
use axum::response::Response;
use http::request::Parts;

use crate::Edge;
use crate::accept::RequestContext;
#[cfg(feature = "openapi")]
use crate::openapi::document::WriteProblems;
use crate::problem::Problem;
#[cfg(feature = "openapi")]
use crate::{accept::Accepted, batch::BatchAnswer, problem::ProblemBody};

/// The result of one event, or of a batch.
#[cfg(feature = "openapi")]
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // a schema
enum Verdict {
    One(Accepted<'static>),
    Many(BatchAnswer),
}

/// Accepts CloudEvents 1.0: a single event, a batch, or newline-delimited JSON.
///
/// A single event is in structured mode, or in binary mode with `ce-` headers. The type determines the topic: `millrace.notification.*`,
/// `millrace.order.*`, `millrace.login.*` and `millrace.log.*` have one each, all others go to `events`. There the
/// extension `partitionkey`, where present, is the record's key.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/events",
    operation_id = "takeEvents",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Becomes the id of a single event; not allowed on batches"),
        ("ce-specversion" = Option<String>, Header, description = "Binary mode: `1.0`", example = "1.0"),
        ("ce-id" = Option<String>, Header, description = "Binary mode: the event's id", example = "1"),
        ("ce-source" = Option<String>, Header, description = "Binary mode: the event's source", example = "/shop"),
        ("ce-type" = Option<String>, Header, description = "Binary mode: the event's type", example = "millrace.order.placed"),
        ("ce-time" = Option<String>, Header, description = "Binary mode: the event's time, in RFC 3339", example = "2026-01-31T12:00:00Z"),
    ),
    request_body(
        description = "The events; their `data` is written as it was sent",
        content(
            (serde_json::Value = "application/cloudevents+json", example = json!({
                "specversion": "1.0", "id": "1", "source": "/shop", "type": "millrace.order.placed", "data": {"order_id": "101"},
            })),
            (serde_json::Value = "application/cloudevents-batch+json", example = json!([{
                "specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.page", "data": {"page": "/"},
            }])),
            (String = "application/x-ndjson", example = json!(
                "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":\"com.example.page\",\"data\":{\"page\":\"/\"}}\n"
            )),
            (serde_json::Value = "application/json", example = json!({"order_id": "101"})),
        ),
    ),
    responses(
        WriteProblems,
        (status = 202, description = "Acknowledged by all in-sync replicas", body = Verdict),
        (status = 207, description = "Some were accepted", body = BatchAnswer),
        (status = 422, description = "The event is invalid, or none of the batch was accepted", content((ProblemBody = "application/problem+json"), (BatchAnswer = "application/json"))),
        (status = 503, description = "Nothing was written, or none of the batch was acknowledged", headers(("Retry-After" = i32, description = "Seconds after which to retry")), content((ProblemBody = "application/problem+json"), (BatchAnswer = "application/json"))),
    ),
))]
pub(super) async fn take(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let deadline = edge.deadline(request.extensions());
    let (Parts { headers, extensions, .. }, body) = request.into_parts();
    let contents = edge.read(&headers, body, deadline).await?;
    let context = RequestContext::of(&headers, &extensions);
    edge.cloud_events(&headers, &context, &contents.bytes, deadline).await
}
