//! The routes: one per file, with its part of the OpenAPI document.

pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod notification;
pub(crate) mod order;
pub(crate) mod registered;
pub(crate) mod status;
pub(crate) mod stored;

use axum::routing::{MethodRouter, get, post};
use http::{Method, StatusCode, Uri};

use crate::problem::Problem;
use crate::{Edge, openapi};

/// A method and a path, and what answers there.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<Edge>,
}

pub(crate) fn all() -> [Route; 11] {
    let read = |path, handler| Route { method: "GET", path, handler };
    let write = |path, handler| Route { method: "POST", path, handler };
    [
        write("/send-notification", post(notification::send)),
        write("/send_notification", post(notification::send_alias)),
        write("/register_event", post(registered::register)),
        write("/orders", post(order::place)),
        write("/user-login", post(login::see)),
        write("/events", post(events::take)),
        read("/events/{id}", get(stored::event)),
        read("/notifications/{id}", get(stored::notification)),
        read("/get_status", get(status::get)),
        read("/health", get(health::get)),
        read("/openapi.json", get(openapi::document)),
    ]
}

pub(crate) async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("no route matches {}; GET /openapi.json lists the routes", uri.path()))
}

/// The answer to a method that a path does not support: a 405 problem.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not support {method}; see the Allow header", uri.path()),
    )
}
