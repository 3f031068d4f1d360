//! `GET /openapi.json`: the contract, made from the code that keeps it.

use axum::Router;
use axum::routing::get;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa::OpenApi;

use crate::Edge;

/// What stands at the head of the document.
#[derive(OpenApi)]
#[openapi(info(
    title = "Millrace",
    description = "Events in over HTTPS. A 2xx means that every in-sync replica of Kafka has the event.\n\n\
        Errors are problem details (RFC 9457). 503: nothing was written. 504: nobody knows; sending the event again \
        with the same `Idempotency-Key` is safe.",
    license(name = "Apache-2.0", identifier = "Apache-2.0"),
))]
pub(crate) struct Head;

/// The document, rendered once.
pub(crate) fn route(document: &utoipa::openapi::OpenApi) -> Router<Edge> {
    let json = document.to_json().unwrap_or_default();
    let answer = move || {
        let json = json.clone();
        async move { ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json) }
    };
    Router::new().route("/openapi.json", get(answer))
}
