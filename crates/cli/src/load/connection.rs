//! A keep-alive HTTP/1.1 connection that reconnects when it was closed.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
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

/// Largest response body that is read: the results of a full batch stay well below.
const RESPONSE_SIZE_LIMIT: usize = 16 * 1024 * 1024;

const X_SERVICE: HeaderName = HeaderName::from_static("x-service");

/// The address of the server, and what every request to it has in common.
#[derive(Debug)]
pub(super) struct Endpoint {
    addresses: Vec<SocketAddr>,
    tls: Option<Tls>,
    host: HeaderValue,
    path: PathAndQuery,
    content_type: HeaderValue,
    authorization: Option<HeaderValue>,
}

/// A response: status and body.
#[derive(Debug)]
pub(super) struct HttpResponse {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// A failed connection, with the reason of the last error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ConnectionError(String);

/// A connection that carries one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    endpoint: Arc<Endpoint>,
    open: Option<Open>,
}

/// An open connection; its task is aborted on drop.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    _task: AbortOnDropHandle<()>,
}

impl Endpoint {
    /// Resolves `target`, for requests to `path` with bodies of `content_type`, and `authorization` where there is one.
    ///
    /// Fails when the host does not resolve, or the machine has no trusted certificates.
    pub(super) async fn resolve(
        target: &Target,
        path: &str,
        content_type: &'static str,
        authorization: Option<HeaderValue>,
    ) -> anyhow::Result<Self> {
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
            authorization,
        })
    }

    fn request(&self, payload: &Payload) -> Request<Full<Bytes>> {
        let mut request = Request::post(Uri::from(self.path.clone()))
            .body(Full::new(payload.body.clone()))
            .expect("a method, a path and a body make a request");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(service) = payload.service {
            headers.insert(X_SERVICE, HeaderValue::from_static(service));
        }
        request
    }

    async fn open(&self) -> Result<Open, ConnectionError> {
        let stream = TcpStream::connect(self.addresses.as_slice())
            .await
            .map_err(|error| ConnectionError(format!("connect: {error}")))?;
        stream.set_nodelay(true).map_err(|error| ConnectionError(format!("connect: {error}")))?;
        let Some(tls) = &self.tls else {
            return handshake(stream).await;
        };
        let stream = TlsConnector::from(tls.config.clone())
            .connect(tls.server.clone(), stream)
            .await
            .map_err(|error| ConnectionError(format!("TLS: {error}")))?;
        handshake(stream).await
    }
}

async fn handshake<S>(stream: S) -> Result<Open, ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| connection_error(&error))?;
    let task = tokio::spawn(async move {
        // The request in flight gets the error of the connection.
        let _ = connection.await;
    });
    Ok(Open { sender, _task: AbortOnDropHandle::new(task) })
}

impl Connection {
    /// A connection that opens with its first request, or with [`open`](Self::open).
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint, open: None }
    }

    /// Opens the connection before its first request.
    pub(super) async fn open(&mut self) -> Result<(), ConnectionError> {
        self.open = Some(self.endpoint.open().await?);
        Ok(())
    }

    /// Sends one request and reads the whole response.
    ///
    /// A request whose keep-alive connection was closed before a byte was sent is retried once on a new one. Cancelling
    /// the call closes the connection.
    pub(super) async fn exchange(&mut self, payload: &Payload) -> Result<HttpResponse, ConnectionError> {
        let mut request = self.endpoint.request(payload);
        if let Some(mut open) = self.open.take() {
            match send(&mut open, request).await {
                Ok(response) => return self.read(open, response).await,
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => return Err(error),
            }
        }
        let mut open = self.endpoint.open().await?;
        match send(&mut open, request).await {
            Ok(response) => self.read(open, response).await,
            Err((error, _)) => Err(error),
        }
    }

    async fn read(&mut self, open: Open, response: Response<Incoming>) -> Result<HttpResponse, ConnectionError> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_SIZE_LIMIT)
            .collect()
            .await
            .map_err(|error| ConnectionError(format!("response: {error}")))?
            .to_bytes();
        self.open = (!open.sender.is_closed()).then_some(open);
        Ok(HttpResponse { status: head.status, body })
    }
}

/// Sends on an open connection; the error returns a request of which nothing was sent.
async fn send(
    open: &mut Open,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, (ConnectionError, Option<Request<Full<Bytes>>>)> {
    if let Err(error) = open.sender.ready().await {
        return Err((connection_error(&error), Some(request)));
    }
    open.sender.try_send_request(request).await.map_err(|mut failed| {
        let unsent = failed.take_message();
        (connection_error(failed.error()), unsent)
    })
}

fn connection_error(error: &hyper::Error) -> ConnectionError {
    ConnectionError(error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")))
}
