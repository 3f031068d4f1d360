//! A webhook receiver with scripted responses.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// The scripted response to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    delay: Duration,
    ending: Ending,
}

#[derive(Clone, Debug)]
enum Ending {
    Status { status: StatusCode, retry_after: Option<HeaderValue> },
    Hang,
    Disconnect,
}

impl Answer {
    /// This status, with an empty body.
    pub fn status(status: StatusCode) -> Self {
        Self { delay: Duration::ZERO, ending: Ending::Status { status, retry_after: None } }
    }

    /// This status with a `Retry-After` header: seconds or an HTTP date.
    ///
    /// # Panics
    /// If the text is not a header value.
    pub fn retry_after(status: StatusCode, retry_after: &str) -> Self {
        let value = HeaderValue::from_str(retry_after).unwrap_or_else(|error| panic!("{retry_after:?}: {error}"));
        Self { delay: Duration::ZERO, ending: Ending::Status { status, retry_after: Some(value) } }
    }

    /// No response: the connection stays open.
    pub fn hang() -> Self {
        Self { delay: Duration::ZERO, ending: Ending::Hang }
    }

    /// No response: the connection is closed.
    pub fn disconnect() -> Self {
        Self { delay: Duration::ZERO, ending: Ending::Disconnect }
    }

    /// Delays the response.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Received {
    /// When its last byte was read.
    pub at: Instant,
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A receiver on a port of its own; dropping it ends it and its open connections.
#[derive(Debug)]
pub struct WebhookReceiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    answers: HashMap<String, VecDeque<Answer>>,
}

impl State {
    /// The next response of a path; the last one repeats.
    fn next_answer(&mut self, path: &str) -> Answer {
        match self.answers.get_mut(path) {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None => None,
        }
        .unwrap_or_else(|| Answer::status(StatusCode::OK))
    }
}

impl WebhookReceiver {
    /// Starts it on 127.0.0.1. Every path answers 200 until [`answer`](Self::answer).
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// The URL of a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sets the responses of a path: one for each request, the last one for all further requests.
    pub fn answer(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state().answers.insert(path.to_owned(), answers.into_iter().collect());
    }

    /// All requests so far, in the order in which they were read.
    pub fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// The requests to one path so far.
    pub fn received_at(&self, path: &str) -> Vec<Received> {
        self.state().received.iter().filter(|request| request.path == path).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The connections are tasks in a set of this task, so that they end with it.
async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        // An error means that the client closed the connection before it was accepted.
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&state)));
            // An error means that the client disconnected, or a scripted disconnect.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An error makes hyper close the connection without a response.
async fn respond(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Empty<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().to_owned();
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = state.next_answer(&path);
        state.received.push(Received { at: Instant::now(), method: head.method, path, headers: head.headers, body });
        answer
    };
    tokio::time::sleep(answer.delay).await;
    match answer.ending {
        Ending::Status { status, retry_after } => {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = status;
            if let Some(value) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            Ok(response)
        }
        Ending::Hang => match std::future::pending::<Infallible>().await {},
        Ending::Disconnect => Err("scripted disconnect".into()),
    }
}
