//! `POST /send-notification`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use millrace_domain::event;

use crate::Edge;
#[cfg(feature = "openapi")]
use crate::accept::Accepted;
use crate::accept::Route;
#[cfg(feature = "openapi")]
use crate::openapi::document::{self, WriteProblems};
use crate::problem::Problem;

const ROUTE: Route = Route { kind: event::NOTIFICATION, code: StatusCode::OK, status: "Notification sent" };

/// A message for a user. Further fields are kept.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // a schema: the body is validated and written as it was sent
#[schema(example = json!({"user_id": "12345", "message": "Your parcel is on its way."}))]
struct NotificationRequest {
    /// The recipient.
    #[schema(schema_with = document::key)]
    user_id: String,
    /// The text.
    message: String,
}

/// Requests a notification, which the notifier delivers. `/send_notification` is the same.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/send-notification",
    operation_id = "sendNotification",
    params(("Idempotency-Key" = Option<String>, Header, description = "Becomes the event's id: a retry with the same key is the same event")),
    request_body(content = NotificationRequest, content_type = "application/json", description = "The notification, written to `notifications` as it was sent"),
    responses(
        (status = 200, description = "Acknowledged by all in-sync replicas", body = Accepted<'_>),
        WriteProblems,
    ),
))]
pub(super) async fn send(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    edge.take(&ROUTE, request).await
}

/// The same as `/send-notification`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/send_notification",
    operation_id = "sendNotificationAlias",
    params(("Idempotency-Key" = Option<String>, Header, description = "Becomes the event's id: a retry with the same key is the same event")),
    request_body(content = NotificationRequest, content_type = "application/json", description = "The notification, written to `notifications` as it was sent"),
    responses(
        (status = 200, description = "Acknowledged by all in-sync replicas", body = Accepted<'_>),
        WriteProblems,
    ),
))]
pub(super) async fn send_alias(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    edge.take(&ROUTE, request).await
}
