//! Request bodies: read and decompressed within size, time and memory limits.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;

use crate::Edge;
use crate::deadline::Deadline;
use crate::memory_budget::{Portion, Reserved, UNCOUNTED_LIMIT};
use crate::problem::Problem;

/// Largest zstd window: 8 MiB, which RFC 8878, section 3.1.1.1.2 asks decoders to support.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Most members of a gzip body (RFC 1952, section 2.2): even an empty one takes time to decode.
const GZIP_MEMBER_LIMIT: usize = 1024;

/// Most bytes that are read, and discarded, of a refused body.
const DRAIN_LIMIT: usize = 64 << 20;

/// Time-out of reading and discarding a refused body.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A whole body, and its reservation of the memory budget.
pub(crate) struct Contents {
    pub(crate) bytes: Bytes,
    _memory: Option<Reserved>,
}

/// Content coding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zstd,
}

impl Edge {
    /// Reads a request's whole body and decompresses it.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        deadline: Deadline,
    ) -> Result<Contents, Problem> {
        let contents = self.read_within(headers, &mut body, deadline).await;
        if contents.is_err() {
            discard(headers, body, deadline).await;
        }
        contents
    }

    async fn read_within(&self, headers: &HeaderMap, body: &mut Body, deadline: Deadline) -> Result<Contents, Problem> {
        let coding = coding(headers)?;
        let limit = self.limits.request;
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let reading = self.collect(body, announced.unwrap_or(0), limit);
        let contents = deadline.bound(reading).await.unwrap_or_else(|_| {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request's body did not arrive in time"))
        })?;
        match coding {
            None => Ok(contents),
            Some(coding) => self.decompress(&contents, coding),
        }
    }

    async fn collect(&self, body: &mut Body, announced: usize, limit: usize) -> Result<Contents, Problem> {
        let mut memory = self.memory_budget.portion();
        let mut first: Option<Bytes> = None;
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::malformed("the request's body ended early"))?;
            let Ok(chunk) = frame.into_data() else { continue };
            let length = first.as_ref().map_or(all.len(), Bytes::len) + chunk.len();
            if length > limit {
                return Err(too_large(limit));
            }
            memory.grow_to(length)?;
            // A body of one chunk, as most are, is not copied.
            match first.take() {
                None if all.is_empty() => first = Some(chunk),
                None => all.extend_from_slice(&chunk),
                Some(before) => {
                    // A Content-Length that is announced and never sent must not cost memory.
                    all.reserve(announced.min(UNCOUNTED_LIMIT).max(length));
                    all.extend_from_slice(&before);
                    all.extend_from_slice(&chunk);
                }
            }
        }
        Ok(Contents { bytes: first.unwrap_or_else(|| all.freeze()), _memory: memory.into_reserved() })
    }

    /// Decompresses within the limit: a decompression bomb costs no more memory than any other body.
    fn decompress(&self, compressed: &Contents, coding: Coding) -> Result<Contents, Problem> {
        let mut rest: &[u8] = &compressed.bytes;
        // Neither coding has an empty stream.
        if rest.is_empty() {
            return Err(Problem::malformed("the compressed body is empty"));
        }
        let mut decompressor =
            Decompressor { bytes: Vec::new(), limit: self.limits.request, memory: self.memory_budget.portion() };
        match coding {
            Coding::Gzip => {
                let mut members = 0;
                while !rest.is_empty() {
                    members += 1;
                    if members > GZIP_MEMBER_LIMIT {
                        let detail = format!("the gzip body has more than {GZIP_MEMBER_LIMIT} members");
                        return Err(Problem::malformed(detail));
                    }
                    decompressor.take(GzDecoder::new(&mut rest))?;
                }
            }
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(rest).map_err(|error| corrupt(&error))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| corrupt(&error))?;
                decompressor.take(decoder)?;
            }
        }
        Ok(Contents { bytes: decompressor.bytes.into(), _memory: decompressor.memory.into_reserved() })
    }
}

/// Reads and discards the rest of a refused body: a client that writes it all before it reads would otherwise see a
/// connection reset instead of the response.
pub(crate) async fn discard(headers: &HeaderMap, body: Body, deadline: Deadline) {
    // A client that sent `Expect: 100-continue` has not begun to send the body (RFC 9110, section 10.1.1).
    if !headers.contains_key(EXPECT) {
        let _ = deadline.at_most(DRAIN_TIMEOUT).bound(drain(body)).await;
    }
}

async fn drain(mut body: Body) {
    let mut left = DRAIN_LIMIT;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// A body being decompressed.
struct Decompressor<'a> {
    bytes: Vec<u8>,
    limit: usize,
    memory: Portion<'a>,
}

impl Decompressor<'_> {
    /// Appends the decoder's whole output.
    fn take(&mut self, mut decoder: impl Read) -> Result<(), Problem> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = decoder.read(&mut chunk).map_err(|error| corrupt(&error))?;
            if read == 0 {
                return Ok(());
            }
            let length = self.bytes.len() + read;
            if length > self.limit {
                return Err(too_large(self.limit));
            }
            self.memory.grow_to(length)?;
            self.bytes.extend_from_slice(&chunk[..read]);
        }
    }
}

/// The content coding of a body; `None` where it is not compressed.
fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Problem> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = codings.next() else { return Ok(None) };
    let coding = match value.to_str().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Ok("" | "identity") => Some(None),
        Ok("gzip" | "x-gzip") => Some(Some(Coding::Gzip)),
        Ok("zstd") => Some(Some(Coding::Zstd)),
        _ => None,
    };
    if let (Some(coding), None) = (coding, codings.next()) {
        return Ok(coding);
    }
    let detail = "the Content-Encoding is not supported: send gzip or zstd (one of them), or none";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        .with_header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd")))
}

fn too_large(limit: usize) -> Problem {
    Problem::too_large(format!("the request is larger than {limit} bytes after decompression"))
}

fn corrupt(error: &std::io::Error) -> Problem {
    Problem::malformed(format!("the compressed body is corrupt: {error}"))
}
