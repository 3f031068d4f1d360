//! `POST /register_event`.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use millrace_domain::event;

#[cfg(feature = "openapi")]
use crate::accept::Accepted;
use crate::accept::{RequestContext, Route};
#[cfg(feature = "openapi")]
use crate::openapi::document::WriteProblems;
use crate::problem::Problem;
use crate::{Edge, form, media};

const ROUTE: Route = Route { kind: event::REGISTERED, code: StatusCode::OK, status: "Event registered successfully!" };

/// Registers any JSON object, or a form, as an event.
///
/// Its key is the first usable one of `key`, `user_id`, `id` and `event_id`, else the event's id.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/register_event",
    operation_id = "registerEvent",
    params(("Idempotency-Key" = Option<String>, Header, description = "Becomes the event's id: a retry with the same key is the same event")),
    request_body(
        description = "The event, written to `events` as it was sent; a form becomes a JSON object",
        content(
            (serde_json::Value = "application/json", example = json!({"user_id": "12345", "page": "/checkout"})),
            (String = "application/x-www-form-urlencoded", example = json!("user_id=12345&page=%2Fcheckout")),
        ),
    ),
    responses(
        (status = 200, description = "Acknowledged by all in-sync replicas", body = Accepted<'_>),
        WriteProblems,
    ),
))]
pub(super) async fn register(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let deadline = edge.deadline(request.extensions());
    let (Parts { headers, extensions, .. }, body) = request.into_parts();
    let kind = media::require_json_or_form(&headers)?;
    let contents = edge.read(&headers, body, deadline).await?;
    let context = RequestContext::of(&headers, &extensions);
    let value = match kind {
        media::Body::Form => form::to_json(&contents.bytes, &context.time(), edge.limits.value)?.into(),
        media::Body::Json => Cow::Borrowed(&*contents.bytes),
    };
    edge.accept(&ROUTE, &headers, &context, value, deadline).await
}
