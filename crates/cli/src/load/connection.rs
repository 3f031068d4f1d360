//! One keep-alive HTTP/1.1 connection, opened again when it was lost.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::request::Payload;
use super::target::{Target, Tls};

/// The largest answer that is read: the verdicts on a full batch stay well below.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

const X_SERVICE: HeaderName = HeaderName::from_static("x-service");

/// Where connections lead and what each of their requests carries.
#[derive(Debug)]
pub(super) struct Endpoint {
    addresses: Vec<SocketAddr>,
    tls: Option<Tls>,
    host: HeaderValue,
    path: PathAndQuery,
    content_type: HeaderValue,
}

/// What the server said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Why there is no answer: the connection failed, in the words of what failed last.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(String);

/// A connection that carries one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    peer: Arc<Endpoint>,
    open: Option<Open>,
}

/// An open connection; its task ends with it.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    _task: AbortOnDropHandle<()>,
}

impl Endpoint {
    /// Resolves `target`, for requests to `route`'s path with bodies of `content_type`.
    ///
    /// Fails when the host has no address or the machine no certificates to verify it with.
    pub(super) async fn resolve(target: &Target, path: &str, content_type: &'static str) -> anyhow::Result<Self> {
        let addresses: Vec<_> = tokio::net::lookup_host((target.host(), target.port()))
            .await
            .with_context(|| format!("no address for the host of {target}"))?
            .collect();
        Ok(Self {
            addresses,
            tls: target.tls()?,
            host: target.host_header()?,
            path: target.path(path)?,
            content_type: HeaderValue::from_static(content_type),
        })
    }

    fn request(&self, payload: &Payload) -> Request<Full<Bytes>> {
        let mut request = Request::post(Uri::from(self.path.clone()))
            .body(Full::new(payload.body.clone()))
            .expect("a method, a path and a body make a request");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        if let Some(service) = payload.service {
            headers.insert(X_SERVICE, HeaderValue::from_static(service));
        }
        request
    }

    async fn open(&self) -> Result<Open, Broken> {
        let stream =
            TcpStream::connect(self.addresses.as_slice()).await.map_err(|error| Broken(format!("connect: {error}")))?;
        stream.set_nodelay(true).map_err(|error| Broken(format!("connect: {error}")))?;
        let Some(tls) = &self.tls else {
            return shake_hands(stream).await;
        };
        let stream = TlsConnector::from(tls.config.clone())
            .connect(tls.server.clone(), stream)
            .await
            .map_err(|error| Broken(format!("TLS: {error}")))?;
        shake_hands(stream).await
    }
}

async fn shake_hands<S>(stream: S) -> Result<Open, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let task = tokio::spawn(async move {
        // What ends a connection is told to the request that was on it.
        let _ = connection.await;
    });
    Ok(Open { sender, _task: AbortOnDropHandle::new(task) })
}

impl Connection {
    /// A connection that opens with its first request, or with [`open`](Self::open).
    pub(super) fn new(peer: Arc<Endpoint>) -> Self {
        Self { peer, open: None }
    }

    /// Opens the connection ahead of its first request.
    pub(super) async fn open(&mut self) -> Result<(), Broken> {
        self.open = Some(self.peer.open().await?);
        Ok(())
    }

    /// Sends one request and reads the whole answer.
    ///
    /// A request that found its kept-alive connection closed, before a byte of it was sent, goes
    /// out once more on a new one. A dropped call closes the connection.
    pub(super) async fn exchange(&mut self, payload: &Payload) -> Result<Answer, Broken> {
        let mut request = self.peer.request(payload);
        if let Some(mut open) = self.open.take() {
            match send(&mut open, request).await {
                Ok(response) => return self.read(open, response).await,
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => return Err(error),
            }
        }
        let mut open = self.peer.open().await?;
        match send(&mut open, request).await {
            Ok(response) => self.read(open, response).await,
            Err((error, _)) => Err(error),
        }
    }

    async fn read(&mut self, open: Open, response: Response<Incoming>) -> Result<Answer, Broken> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| Broken(format!("answer: {error}")))?
            .to_bytes();
        self.open = (!open.sender.is_closed()).then_some(open);
        Ok(Answer { status: head.status, body })
    }
}

/// Sends on an open connection; gives a request back of which nothing was sent.
async fn send(
    open: &mut Open,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, (Broken, Option<Request<Full<Bytes>>>)> {
    if let Err(error) = open.sender.ready().await {
        return Err((broken(&error), Some(request)));
    }
    open.sender.try_send_request(request).await.map_err(|mut failed| {
        let unsent = failed.take_message();
        (broken(failed.error()), unsent)
    })
}

fn broken(error: &hyper::Error) -> Broken {
    Broken(error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")))
}
