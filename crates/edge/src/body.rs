//! Request bodies: read within limits, decompressed within limits.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::Edge;
use crate::deadline::Deadline;
use crate::memory_budget::{Portion, UNCOUNTED};
use crate::problem::Problem;

/// zstd windows above this are refused (RFC 8878, section 3.1.1.1.2 asks decoders to take 8 MiB).
const ZSTD_WINDOW_LOG: u32 = 23;

/// The most members a gzip body may have (RFC 1952, section 2.2). To begin one takes time even where it is empty.
const MOST_MEMBERS: usize = 1024;

/// How much of a refused body is read all the same, in bytes.
const DRAINED: usize = 64 << 20;

/// How long that may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

/// A whole body, and its share of the room for large ones.
pub(crate) struct Contents {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zstd,
}

impl Edge {
    /// Reads a request's body to its end and decompresses it.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        deadline: Deadline,
    ) -> Result<Contents, Problem> {
        let contents = self.read_within(headers, &mut body, deadline).await;
        // A sender that waits for leave to send has not begun (RFC 9110, section 10.1.1).
        if contents.is_err() && !headers.contains_key(EXPECT) {
            let _ = deadline.at_most(DRAINED_WITHIN).bound(drain(body)).await;
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
        let mut room = self.rooms.share();
        let mut first: Option<Bytes> = None;
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::malformed("the request's body broke off"))?;
            let Ok(piece) = frame.into_data() else { continue };
            let so_far = first.as_ref().map_or(all.len(), Bytes::len) + piece.len();
            if so_far > limit {
                return Err(too_large(limit));
            }
            room.cover(so_far)?;
            // A body of one piece, as most are, is not copied.
            match first.take() {
                None if all.is_empty() => first = Some(piece),
                None => all.extend_from_slice(&piece),
                Some(before) => {
                    // What a sender announces and never sends must not cost memory.
                    all.reserve(announced.min(UNCOUNTED).max(so_far));
                    all.extend_from_slice(&before);
                    all.extend_from_slice(&piece);
                }
            }
        }
        Ok(Contents { bytes: first.unwrap_or_else(|| all.freeze()), _room: room.keep() })
    }

    /// Decompresses within the limit: a bomb costs no more memory than an honest body.
    fn decompress(&self, compressed: &Contents, coding: Coding) -> Result<Contents, Problem> {
        let mut rest: &[u8] = &compressed.bytes;
        // No stream of either is empty.
        if rest.is_empty() {
            return Err(Problem::malformed("the compressed body is empty"));
        }
        let mut plain = Decompressor { bytes: Vec::new(), limit: self.limits.request, room: self.rooms.share() };
        match coding {
            Coding::Gzip => {
                let mut members = 0;
                while !rest.is_empty() {
                    members += 1;
                    if members > MOST_MEMBERS {
                        let detail = format!("the gzip body has more than {MOST_MEMBERS} members");
                        return Err(Problem::malformed(detail));
                    }
                    plain.take(GzDecoder::new(&mut rest))?;
                }
            }
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(rest).map_err(|error| corrupt(&error))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| corrupt(&error))?;
                plain.take(decoder)?;
            }
        }
        Ok(Contents { bytes: plain.bytes.into(), _room: plain.room.keep() })
    }
}

/// Reads what is left of a refused body and forgets it: a client that writes all of it before it reads would see the
/// connection break, and not the answer.
async fn drain(mut body: Body) {
    let mut left = DRAINED;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// A body while it is decompressed.
struct Decompressor<'a> {
    bytes: Vec<u8>,
    limit: usize,
    room: Portion<'a>,
}

impl Decompressor<'_> {
    /// Adds all that the decoder gives.
    fn take(&mut self, mut decoder: impl Read) -> Result<(), Problem> {
        let mut piece = [0; 16 * 1024];
        loop {
            let read = decoder.read(&mut piece).map_err(|error| corrupt(&error))?;
            if read == 0 {
                return Ok(());
            }
            let so_far = self.bytes.len() + read;
            if so_far > self.limit {
                return Err(too_large(self.limit));
            }
            self.room.cover(so_far)?;
            self.bytes.extend_from_slice(&piece[..read]);
        }
    }
}

/// The coding of a body; `None` for one that is sent as it is.
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
    let detail = "the Content-Encoding is not taken: send gzip, zstd or none, and one of them only";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        .with(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd")))
}

fn too_large(limit: usize) -> Problem {
    Problem::too_large(format!("the request is larger than {limit} bytes after decompression"))
}

fn corrupt(error: &std::io::Error) -> Problem {
    Problem::malformed(format!("the compressed body is corrupt: {error}"))
}
