//! `GET /get_status`.

use std::time::Duration;

use axum::extract::{Request, State};

use crate::Edge;
use crate::status::Status;

/// Time-out of the whole query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the topics' end offsets and the consumers' lag.
///
/// A figure is null while its partition's leader or its group's coordinator is unavailable.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/get_status",
    operation_id = "getStatus",
    responses(
        (status = 200, description = "A broker answers", body = Status),
        (status = 503, description = "No broker answers", body = Status, headers(("Retry-After" = i32, description = "Seconds after which to retry"))),
    ),
))]
pub(super) async fn get(State(edge): State<Edge>, request: Request) -> Status {
    let deadline = edge.deadline(request.extensions()).at_most(QUERY_TIMEOUT);
    deadline.bound(edge.status.status()).await.unwrap_or_else(|_| Status::unreachable())
}
