//! Request bodies: read within limits, decompressed within limits.

use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Edge;
use crate::deadline::Deadline;
use crate::problem::Problem;

/// Room for large bodies is handed out in units of this many bytes.
pub(crate) const ROOM_UNIT: usize = 1024;

/// Bodies up to this size are not counted: most requests never touch the semaphore.
const UNCOUNTED: usize = 64 * 1024;

/// zstd windows above this are refused (RFC 8878, section 3.1.1.1.2 asks decoders to take 8 MiB).
const ZSTD_WINDOW_LOG: u32 = 23;

/// A whole body, and its share of the room for large ones.
pub(crate) struct Contents {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Edge {
    /// Reads a request's body to its end and decompresses it.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body, deadline: Deadline) -> Result<Contents, Problem> {
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
            Coding::Identity => Ok(contents),
            coding => self.decompress(&contents, coding),
        }
    }

    async fn collect(&self, mut body: Body, announced: usize, limit: usize) -> Result<Contents, Problem> {
        let mut room = Room::new(&self.body_room);
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
                    all.reserve(announced.max(so_far));
                    all.extend_from_slice(&before);
                    all.extend_from_slice(&piece);
                }
            }
        }
        Ok(Contents { bytes: first.unwrap_or_else(|| all.freeze()), _room: room.taken })
    }

    /// Decompresses within the limit: a bomb costs no more memory than an honest body.
    fn decompress(&self, compressed: &Contents, coding: Coding) -> Result<Contents, Problem> {
        let limit = self.limits.request;
        let mut room = Room::new(&self.body_room);
        let mut plain = Vec::new();
        let input: &[u8] = &compressed.bytes;
        let result = match coding {
            Coding::Identity => Ok(()),
            Coding::Gzip => inflate(flate2::read::MultiGzDecoder::new(input), &mut plain, limit, &mut room),
            Coding::Zstd => zstd::stream::read::Decoder::with_buffer(input)
                .and_then(|mut decoder| decoder.window_log_max(ZSTD_WINDOW_LOG).map(|()| decoder))
                .map_err(|error| corrupt("zstd", &error))
                .and_then(|decoder| inflate(decoder, &mut plain, limit, &mut room)),
        };
        result?;
        Ok(Contents { bytes: plain.into(), _room: room.taken })
    }
}

fn inflate(decoder: impl Read, plain: &mut Vec<u8>, limit: usize, room: &mut Room<'_>) -> Result<(), Problem> {
    const STEP: usize = 64 * 1024;
    let mut decoder = decoder.take(limit as u64 + 1);
    loop {
        let before = plain.len();
        let read = decoder.by_ref().take(STEP as u64).read_to_end(plain);
        read.map_err(|error| corrupt("compressed", &error))?;
        if plain.len() > limit {
            return Err(too_large(limit));
        }
        room.cover(plain.len())?;
        if plain.len() == before {
            return Ok(());
        }
    }
}

/// A request's share of the room for large bodies.
struct Room<'a> {
    all: &'a Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl<'a> Room<'a> {
    fn new(all: &'a Arc<Semaphore>) -> Self {
        Self { all, taken: None }
    }

    fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= UNCOUNTED {
            return Ok(());
        }
        let wanted = bytes.div_ceil(ROOM_UNIT);
        let missing = wanted.saturating_sub(self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return Ok(());
        }
        let more = u32::try_from(missing).ok().and_then(|more| Arc::clone(self.all).try_acquire_many_owned(more).ok());
        let more = more.ok_or_else(|| Problem::overloaded("too many large requests at once"))?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = codings.next() else { return Ok(Coding::Identity) };
    let coding = match value.to_str().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Ok("" | "identity") => Some(Coding::Identity),
        Ok("gzip" | "x-gzip") => Some(Coding::Gzip),
        Ok("zstd") => Some(Coding::Zstd),
        _ => None,
    };
    match (coding, codings.next()) {
        (Some(coding), None) => Ok(coding),
        _ => {
            let detail = "the Content-Encoding is not taken: send gzip, zstd or none, and one of them only";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
                .with(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd")))
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::too_large(format!("the request is larger than {limit} bytes after decompression"))
}

fn corrupt(what: &str, error: &std::io::Error) -> Problem {
    Problem::malformed(format!("the {what} body is corrupt: {error}"))
}
