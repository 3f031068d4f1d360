//! `GET /get_status`.

use axum::extract::{Request, State};

use crate::Edge;
use crate::status::Status;

/// Tells what the brokers hold and how far the consumers are.
#[utoipa::path(
    get,
    path = "/get_status",
    operation_id = "getStatus",
    responses(
        (status = 200, description = "A broker answers", body = Status),
        (status = 503, description = "No broker answers", body = Status, headers(("Retry-After" = i32, description = "Seconds after which to try again"))),
    ),
)]
pub(super) async fn get(State(edge): State<Edge>, request: Request) -> Status {
    edge.deadline(request.extensions()).bound(edge.status.status()).await.unwrap_or_else(|_| Status::unreachable())
}
