//! `POST /user-login`.

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

const ROUTE: Route = Route { kind: event::LOGIN, code: StatusCode::ACCEPTED, status: "accepted" };

/// A login. Further fields are kept.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // a schema: the body is validated and written as it was sent
#[schema(example = json!({"user_id": "12345", "device_type": "android", "locale": "DE", "timestamp": 1_769_860_800}))]
struct LoginRequest {
    /// The user.
    #[schema(schema_with = document::key)]
    user_id: String,
    /// The type of device.
    device_type: Option<String>,
    /// The client's IP address.
    ip: Option<String>,
    /// The user's locale.
    locale: Option<String>,
    /// The time of the login.
    #[schema(schema_with = document::time, required = false)]
    timestamp: Option<String>,
}

/// Records a login.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/user-login",
    operation_id = "seeLogin",
    params(("Idempotency-Key" = Option<String>, Header, description = "Becomes the event's id: a retry with the same key is the same event")),
    request_body(content = LoginRequest, content_type = "application/json", description = "The login, written to `user-login` as it was sent"),
    responses(
        (status = 202, description = "Acknowledged by all in-sync replicas", body = Accepted<'_>),
        WriteProblems,
    ),
))]
pub(super) async fn see(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    edge.take(&ROUTE, request).await
}
