//! `POST /user-login`.

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

const ROUTE: Route = Route { kind: event::LOGIN, code: StatusCode::ACCEPTED, status: "accepted" };

/// A login. Further fields are kept.
#[derive(ToSchema)]
#[allow(dead_code)] // a schema: the body is checked and passed on as it was sent
#[schema(example = json!({"user_id": "12345", "device_type": "android", "locale": "DE", "timestamp": 1_769_860_800}))]
struct LoginRequest {
    /// Who logged in: a non-empty string, or an integer.
    user_id: String,
    /// On what.
    device_type: Option<String>,
    /// From where.
    ip: Option<String>,
    /// In which locale.
    locale: Option<String>,
    /// When: Unix seconds, as a number or as text, or RFC 3339.
    timestamp: Option<String>,
}

/// Tells of a login.
#[utoipa::path(
    post,
    path = "/user-login",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the event: a repeat has no second effect")),
    request_body(content = LoginRequest, content_type = "application/json", description = "The login, written to `user-login` as it was sent"),
    responses(
        (status = 202, description = "Every in-sync replica has it", body = Accepted),
        (status = 400, description = "Not JSON, or an Idempotency-Key that is none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Another media type or encoding", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Fields are missing or wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too much at once", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nothing was written", body = ProblemBody, content_type = "application/problem+json"),
        (status = 504, description = "It may have been written", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn see(
    State(edge): State<Edge>,
    deadline: Deadline,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    media::require_json(&headers)?;
    let contents = edge.read(&headers, body, deadline).await?;
    edge.accept(&ROUTE, &headers, contents.bytes.as_ref().into(), deadline).await
}
