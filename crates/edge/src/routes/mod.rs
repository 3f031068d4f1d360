//! The routes: one per file, with its part of the OpenAPI document.

mod events;
mod health;
mod login;
mod notification;
mod order;
mod registered;
mod status;
mod stored;

use http::{Method, StatusCode, Uri};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::{Edge, openapi};

pub(crate) fn all() -> OpenApiRouter<Edge> {
    OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(notification::send))
        .routes(routes!(notification::send_alias))
        .routes(routes!(registered::register))
        .routes(routes!(order::place))
        .routes(routes!(login::see))
        .routes(routes!(events::take))
        .routes(routes!(stored::event))
        .routes(routes!(stored::notification))
        .routes(routes!(status::get))
        .routes(routes!(health::get))
        .routes(routes!(openapi::document))
}

pub(crate) async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("no route matches {}; GET /openapi.json lists the routes", uri.path()))
}

pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not support {method}; see the Allow header", uri.path()),
    )
}
