//! `GET /openapi.json`: the contract, as a file that is made from the routes' annotations.

#[cfg(feature = "openapi")]
pub(crate) mod document;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use crate::media;

/// The document. A test holds it to the annotations, which only that test compiles: they would cost each build more than
/// all routes.
static DOCUMENT: &str = include_str!("../openapi.json");

/// Returns the OpenAPI document of all routes.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    responses((status = 200, description = "The document", body = serde_json::Value, content_type = "application/json")),
))]
pub(crate) async fn document() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(media::JSON))], DOCUMENT).into_response()
}
