//! `GET /get_status`.

use axum::extract::State;

use crate::Edge;
use crate::status::Status;

/// Tells what the brokers hold and how far the consumers are.
#[utoipa::path(
    get,
    path = "/get_status",
    responses(
        (status = 200, description = "A broker answers", body = Status),
        (status = 503, description = "No broker answers", body = Status),
    ),
)]
pub(super) async fn get(State(edge): State<Edge>) -> Status {
    edge.status.status().await
}
