//! A request, and its expected status.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, Method, Response};

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// The caller's trace id.
pub(super) const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
/// The caller's parent id.
pub(super) const PARENT_ID: &str = "b7ad6b7169203331";

/// One line of the table.
#[derive(Debug)]
pub(super) struct Case {
    /// The expected status: both edges might have the same error.
    pub(super) status: u16,
    /// A description of the request.
    pub(super) name: &'static str,
    method: Method,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Case {
    pub(super) fn new(status: u16, name: &'static str, method: Method, path: &'static str) -> Self {
        Self { status, name, method, path, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn get(status: u16, name: &'static str, path: &'static str) -> Self {
        Self::new(status, name, Method::GET, path)
    }

    pub(super) fn post(status: u16, name: &'static str, path: &'static str) -> Self {
        Self::new(status, name, Method::POST, path)
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds an `Idempotency-Key`.
    pub(super) fn id(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }

    pub(super) fn traced(self) -> Self {
        self.header("traceparent", format!("00-{TRACE_ID}-{PARENT_ID}-01"))
    }

    /// Sets a body without a Content-Type.
    pub(super) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", content_type).bytes(body)
    }

    pub(super) fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.body(JSON, body)
    }

    /// Compresses the body and sets the Content-Encoding.
    pub(super) fn gzip(mut self) -> Self {
        self.body = gzip(&self.body);
        self.header("content-encoding", "gzip")
    }

    /// Compresses the body and sets the Content-Encoding.
    pub(super) fn zstd(mut self) -> Self {
        self.body = zstd::encode_all(&self.body[..], 0).expect("a zstd body");
        self.header("content-encoding", "zstd")
    }

    pub(super) async fn send(&self, client: &Client, edge: &str) -> Response {
        let request = client.request(self.method.clone(), format!("{edge}{}", self.path));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let answer = request.body(self.body.clone()).send().await;
        answer.unwrap_or_else(|error| panic!("{} was not answered: {error}", self.name))
    }
}

/// The bytes as one gzip member.
pub(super) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(plain).and_then(|()| gzip.finish()).expect("a gzip body")
}
