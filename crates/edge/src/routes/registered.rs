//! `POST /register_event`.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use millrace_domain::event;

use crate::accept::{Accepted, Route, now};
use crate::deadline::Deadline;
use crate::problem::{Problem, ProblemBody};
use crate::{Edge, form, media};

const ROUTE: Route = Route { kind: event::REGISTERED, code: StatusCode::OK, status: "Event registered successfully!" };

/// Registers any JSON object, or a form, as an event. Its key is the first usable one of `key`, `user_id`, `id` and
/// `event_id`, else the event's id.
#[utoipa::path(
    post,
    path = "/register_event",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the event: a repeat has no second effect")),
    request_body(
        description = "The event, written to `events` as it was sent; a form becomes a JSON object",
        content(
            (serde_json::Value = "application/json", example = json!({"user_id": "12345", "page": "/checkout"})),
            (String = "application/x-www-form-urlencoded", example = json!("user_id=12345&page=%2Fcheckout")),
        ),
    ),
    responses(
        (status = 200, description = "Every in-sync replica has it", body = Accepted),
        (status = 400, description = "Not JSON, or an Idempotency-Key that is none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Another media type or encoding", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Not an object", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too much at once", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nothing was written", body = ProblemBody, content_type = "application/problem+json"),
        (status = 504, description = "It may have been written", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn register(
    State(edge): State<Edge>,
    deadline: Deadline,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let is_form = media::of(&headers)?.is_some_and(|media| media.essence == media::FORM);
    if !is_form {
        media::require_json(&headers)?;
    }
    let contents = edge.read(&headers, body, deadline).await?;
    let value = if is_form { form::to_json(&contents.bytes, &now())?.into() } else { Cow::Borrowed(&*contents.bytes) };
    edge.accept(&ROUTE, &headers, value, deadline).await
}
