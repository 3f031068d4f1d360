//! `POST /send-notification`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use millrace_domain::event;
use utoipa::ToSchema;

use crate::accept::{Accepted, Route};
use crate::deadline::Deadline;
use crate::problem::{Problem, ProblemBody};
use crate::{Edge, media};

const ROUTE: Route = Route { kind: event::NOTIFICATION, code: StatusCode::OK, status: "Notification sent" };

/// A message for a user. Further fields are kept.
#[derive(ToSchema)]
#[allow(dead_code)] // a schema: the body is checked and passed on as it was sent
#[schema(example = json!({"user_id": "12345", "message": "Your parcel is on its way."}))]
struct NotificationRequest {
    /// Whom it is for: a non-empty string, or an integer.
    user_id: String,
    /// What to tell them.
    message: String,
}

/// Asks for a notification, which the notifier delivers. `/send_notification` is the same.
#[utoipa::path(
    post,
    path = "/send-notification",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the event: a repeat has no second effect")),
    request_body(content = NotificationRequest, content_type = "application/json", description = "The notification, written to `notifications` as it was sent"),
    responses(
        (status = 200, description = "Every in-sync replica has it", body = Accepted),
        (status = 400, description = "Not JSON, or an Idempotency-Key that is none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Another media type or encoding", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Fields are missing or wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too much at once", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nothing was written", body = ProblemBody, content_type = "application/problem+json"),
        (status = 504, description = "It may have been written", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn send(
    State(edge): State<Edge>,
    deadline: Deadline,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    media::require_json(&headers)?;
    let contents = edge.read(&headers, body, deadline).await?;
    edge.accept(&ROUTE, &headers, contents.bytes.as_ref().into(), deadline).await
}
