//! The routes: one per file, with its part of the OpenAPI document.

pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod notification;
pub(crate) mod order;
pub(crate) mod otlp;
pub(crate) mod registered;
pub(crate) mod status;
pub(crate) mod stored;

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::access::Needs;
use crate::problem::Problem;
use crate::{Edge, openapi};

/// A method and a path, and what answers there.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<Edge>,
    /// What a caller must be allowed, where the edge knows its callers.
    pub(crate) needs: Needs,
}

pub(crate) fn all() -> [Route; 13] {
    let read = |path, handler, needs| Route { method: "GET", path, handler, needs };
    let write = |path, handler, needs| Route { method: "POST", path, handler, needs };
    [
        write("/send-notification", post(notification::send), Needs::Scope("notifications.write")),
        write("/send_notification", post(notification::send_alias), Needs::Scope("notifications.write")),
        write("/register_event", post(registered::register), Needs::Scope("events.write")),
        write("/orders", post(order::place), Needs::Scope("orders.write")),
        write("/user-login", post(login::see), Needs::Scope("user-login.write")),
        write("/logs", post(logs::take), Needs::Scope("raw-logs.write")),
        write(otlp::PATH, post(otlp::take), Needs::Scope("raw-logs.write")),
        // Its events go to several topics.
        write("/events", post(events::take), Needs::Credential),
        read("/events/{id}", get(stored::event), Needs::Scope("events.read")),
        read("/notifications/{id}", get(stored::notification), Needs::Scope("notifications.read")),
        read("/get_status", get(status::get), Needs::Scope("status.read")),
        read("/health", get(health::get), Needs::Nothing),
        read("/openapi.json", get(openapi::document), Needs::Nothing),
    ]
}

/// What requests need, by method and path.
#[derive(Clone)]
pub(crate) struct Requirements(Arc<[(&'static str, &'static str, Needs)]>);

impl Requirements {
    pub(crate) fn new() -> Self {
        // A host may serve it beside these.
        let metrics = ("GET", "/metrics", Needs::Scope("metrics.read"));
        Self(all().iter().map(|route| (route.method, route.path, route.needs)).chain([metrics]).collect())
    }

    /// HEAD is answered as GET is. What no route takes is answered with 404 or 405, and needs nothing.
    pub(crate) fn of(&self, method: &Method, path: &str) -> Needs {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let found = self.0.iter().find(|(of, at, _)| *of == method && *at == path);
        found.map_or(Needs::Nothing, |(.., needs)| *needs)
    }
}

/// The answer to a request that a path does not admit, in the form of the path's answers.
pub(crate) fn refusal(path: &str, headers: &HeaderMap, problem: Problem) -> Response {
    if path == otlp::PATH { otlp::refusal(headers, &problem) } else { problem.into_response() }
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
