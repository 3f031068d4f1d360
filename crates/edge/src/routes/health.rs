//! `GET /health`.

use axum::Json;
use serde::Serialize;

/// The state of this process.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct Health {
    /// Always `ok`: a process that does not serve does not answer.
    status: &'static str,
}

/// Returns 200 while this process serves. The brokers' state is at `/get_status`.
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/health", operation_id = "getHealth", responses((status = 200, description = "This process serves", body = Health))))]
pub(super) async fn get() -> Json<Health> {
    Json(Health { status: "ok" })
}
