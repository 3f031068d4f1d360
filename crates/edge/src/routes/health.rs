//! `GET /health`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// This process serves.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`: a process that does not serve does not answer.
    status: &'static str,
}

/// Tells that this process serves. It says nothing of the brokers: `/get_status` does.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", responses((status = 200, description = "This process serves", body = Health)))]
pub(super) async fn get() -> Json<Health> {
    Json(Health { status: "ok" })
}
