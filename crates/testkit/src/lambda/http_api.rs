//! An API Gateway HTTP API in front of a function.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Lambda, answer, event};

/// The quotas of an HTTP API's payload and of Lambda's invocation payload, in bytes.
const MAX_REQUEST_BYTES: usize = 10 << 20;
const MAX_EVENT_BYTES: usize = 6 << 20;

/// Converts HTTP requests to events and invokes the function. The server ends when this is dropped.
#[derive(Debug)]
pub struct HttpApi {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl HttpApi {
    /// Starts it on 127.0.0.1, with the route and the stage `$default`.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(function: Lambda) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let routes = Router::new().fallback(handle).with_state(function);
        let server = tokio::spawn(async move {
            // An error means that a client disconnected.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, server })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for HttpApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn handle(State(function): State<Lambda>, request: Request<Body>) -> Response<Body> {
    invoke(&function, request).await.map(Body::from)
}

async fn invoke(function: &Lambda, request: Request<Body>) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else { return too_large() };
    let event = event::http_api(&Request::from_parts(head, body), "$default");
    if event.to_string().len() > MAX_EVENT_BYTES {
        return too_large();
    }
    let payload = match function.invoke(&event).await {
        Ok(payload) => payload,
        Err(failure) => return internal_error(&failure.to_string()),
    };
    answer::read(&payload).unwrap_or_else(|error| internal_error(&format!("malformed response: {error}")))
}

fn too_large() -> Response<Bytes> {
    answer::from_gateway(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long")
}

/// As API Gateway, does not tell the client the reason; prints it in the test's output.
fn internal_error(reason: &str) -> Response<Bytes> {
    eprintln!("invocation failed: {reason}");
    answer::from_gateway(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}
