//! `POST /send-notification`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use millrace_domain::event;
use utoipa::ToSchema;

use crate::Edge;
use crate::accept::{Accepted, Route};
use crate::openapi::{self, WriteProblems};
use crate::problem::Problem;

const ROUTE: Route = Route { kind: event::NOTIFICATION, code: StatusCode::OK, status: "Notification sent" };

/// A message for a user. Further fields are kept.
#[derive(ToSchema)]
#[allow(dead_code)] // a schema: the body is checked and passed on as it was sent
#[schema(example = json!({"user_id": "12345", "message": "Your parcel is on its way."}))]
struct NotificationRequest {
    /// Whom it is for.
    #[schema(schema_with = openapi::key)]
    user_id: String,
    /// What to tell them.
    message: String,
}

/// Asks for a notification, which the notifier delivers. `/send_notification` is the same.
#[utoipa::path(
    post,
    path = "/send-notification",
    operation_id = "sendNotification",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the event: a repeat names the same event")),
    request_body(content = NotificationRequest, content_type = "application/json", description = "The notification, written to `notifications` as it was sent"),
    responses(
        (status = 200, description = "Every in-sync replica has it", body = Accepted<'_>),
        WriteProblems,
    ),
)]
pub(super) async fn send(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    edge.take(&ROUTE, request).await
}

/// The same as `/send-notification`.
#[utoipa::path(
    post,
    path = "/send_notification",
    operation_id = "sendNotificationAlias",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the event: a repeat names the same event")),
    request_body(content = NotificationRequest, content_type = "application/json", description = "The notification, written to `notifications` as it was sent"),
    responses(
        (status = 200, description = "Every in-sync replica has it", body = Accepted<'_>),
        WriteProblems,
    ),
)]
pub(super) async fn send_alias(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    edge.take(&ROUTE, request).await
}
