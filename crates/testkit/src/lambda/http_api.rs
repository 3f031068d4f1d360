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

/// The largest request that an HTTP API takes, and the largest event that Lambda takes, in bytes.
const LARGEST_REQUEST: usize = 10 << 20;
const LARGEST_EVENT: usize = 6 << 20;

/// Turns real HTTP requests into events, and answers into responses. It ends when this is dropped.
#[derive(Debug)]
pub struct HttpApi {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl HttpApi {
    /// Starts it on 127.0.0.1, with the route and the stage `$default`.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(function: Lambda) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let routes = Router::new().fallback(pass_on).with_state(function);
        let server = tokio::spawn(async move {
            // Its errors are those of clients that went away.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for HttpApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass_on(State(function): State<Lambda>, request: Request<Body>) -> Response<Body> {
    invoke(&function, request).await.map(Body::from)
}

async fn invoke(function: &Lambda, request: Request<Body>) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else { return too_large() };
    let event = event::http_api(&Request::from_parts(head, body), "$default");
    if event.to_string().len() > LARGEST_EVENT {
        return too_large();
    }
    let payload = match function.invoke(&event).await {
        Ok(payload) => payload,
        Err(failure) => return failed(&failure.to_string()),
    };
    answer::read(&payload).unwrap_or_else(|wrong| failed(&format!("the function's answer is none: {wrong}")))
}

fn too_large() -> Response<Bytes> {
    answer::of_the_gateway(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long")
}

/// The caller is not told why, but the reader of the test's output is.
fn failed(reason: &str) -> Response<Bytes> {
    eprintln!("an invocation failed: {reason}");
    answer::of_the_gateway(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}
