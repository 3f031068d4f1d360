//! The Lambda Runtime API for one environment.

use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

use super::environment::{ARN, Environment, Invocation};

/// Lambda's quota of a response payload, in bytes.
const MAX_RESPONSE_BYTES: usize = 6 << 20;

#[derive(Clone)]
struct Api {
    /// Weak: dropping the environment ends this server.
    environment: Weak<Environment>,
    events: Arc<Mutex<UnboundedReceiver<Invocation>>>,
}

pub(super) async fn serve(
    listener: TcpListener,
    environment: Weak<Environment>,
    events: UnboundedReceiver<Invocation>,
) {
    let routes = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/response", post(response))
        .route("/invocation/{id}/error", post(error))
        .route("/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_RESPONSE_BYTES))
        .with_state(Api { environment, events: Arc::new(Mutex::new(events)) });
    let server = axum::serve(listener, Router::new().nest("/2018-06-01/runtime", routes));
    // An error means that the process disconnected.
    let _ = server.await;
}

/// Waits for an event; the process may be frozen meanwhile.
async fn next(State(api): State<Api>) -> Response {
    let Some(pending) = api.environment.upgrade().map(|environment| environment.next_pending()) else {
        return environment_ended();
    };
    let event = api.events.lock().await.recv().await;
    drop(pending);
    let Some(Invocation { id, deadline, event }) = event else { return environment_ended() };
    let (root, parent) = (Uuid::now_v7().simple().to_string(), Uuid::now_v7().simple().to_string());
    let trace = format!("Root=1-{}-{};Parent={};Sampled=0", &root[..8], &root[8..], &parent[..16]);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", ARN.to_owned()),
        ("lambda-runtime-trace-id", trace),
    ];
    (headers, event).into_response()
}

async fn response(State(api): State<Api>, Path(id): Path<String>, body: Bytes) -> Response {
    api.respond(&id, Ok(body))
}

async fn error(State(api): State<Api>, Path(id): Path<String>, report: Bytes) -> Response {
    api.respond(&id, Err(read(&report)))
}

async fn init_error(State(api): State<Api>, report: Bytes) -> Response {
    let Some(environment) = api.environment.upgrade() else { return environment_ended() };
    environment.init_failed(read(&report));
    accepted()
}

impl Api {
    fn respond(&self, id: &str, response: Result<Bytes, Value>) -> Response {
        let Some(environment) = self.environment.upgrade() else { return environment_ended() };
        if environment.respond(id, response) {
            return accepted();
        }
        let error = json!({"errorType": "InvalidRequestID", "errorMessage": "no such invocation is in flight"});
        (StatusCode::BAD_REQUEST, error.to_string()).into_response()
    }
}

/// Reads a report as JSON, else as text.
fn read(report: &[u8]) -> Value {
    serde_json::from_slice(report).unwrap_or_else(|_| String::from_utf8_lossy(report).into())
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
}

fn environment_ended() -> Response {
    (StatusCode::GONE, r#"{"errorType":"Gone","errorMessage":"the environment has ended"}"#).into_response()
}
