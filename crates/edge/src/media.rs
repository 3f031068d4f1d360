//! Media types of requests.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use crate::problem::Problem;

/// The media type of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// As it was sent.
    pub(crate) full: String,
    /// Type and subtype, in lower case, without parameters.
    pub(crate) essence: String,
}

/// The media type that was sent, if any was.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<MediaType>, Problem> {
    let Some(value) = only(headers)? else { return Ok(None) };
    let full = value.to_str().map_err(|_| Problem::malformed("the Content-Type is not ASCII"))?.trim();
    // Gateways join repeated headers with a comma.
    if has_comma(full) {
        return Err(sent_twice());
    }
    let essence = full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok((!full.is_empty()).then(|| MediaType { full: full.to_owned(), essence }))
}

/// The request's only Content-Type (RFC 9110, section 8.3): two are ambiguous and refused.
fn only(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Problem> {
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let first = sent.next();
    if sent.next().is_some() { Err(sent_twice()) } else { Ok(first) }
}

fn sent_twice() -> Problem {
    Problem::malformed("the Content-Type was sent more than once")
}

/// Whether there is a comma outside of quotes, where no media type has one.
fn has_comma(full: &str) -> bool {
    let mut is_quoted = false;
    let mut is_escaped = false;
    full.chars().any(|character| {
        let is_plain = !std::mem::take(&mut is_escaped);
        match character {
            '\\' if is_quoted && is_plain => is_escaped = true,
            '"' if is_plain => is_quoted = !is_quoted,
            _ => {}
        }
        character == ',' && !is_quoted
    })
}

/// The formats of a body on a JSON route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Json,
    Form,
}

/// Accepts JSON, and requests without a Content-Type.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    match only(headers)? {
        None => Ok(()),
        // Fast path: nearly all requests send exactly this.
        Some(value) if value.as_bytes() == JSON.as_bytes() => Ok(()),
        Some(_) => match of(headers)? {
            Some(media) if media.essence != JSON => Err(media.unsupported(JSON)),
            _ => Ok(()),
        },
    }
}

/// Accepts JSON and forms; a request without a Content-Type counts as JSON.
pub(crate) fn require_json_or_form(headers: &HeaderMap) -> Result<Body, Problem> {
    match of(headers)? {
        Some(media) if media.essence == FORM => Ok(Body::Form),
        Some(media) if media.essence != JSON => {
            Err(media.unsupported("application/json, application/x-www-form-urlencoded"))
        }
        _ => Ok(Body::Json),
    }
}

/// Accepts OTLP; whether it is in JSON.
pub(crate) fn require_otlp(headers: &HeaderMap) -> Result<bool, Problem> {
    match of(headers)? {
        None => Ok(true),
        Some(media) => match media.essence.as_str() {
            JSON => Ok(true),
            PROTOBUF => Ok(false),
            _ => Err(media.unsupported("application/x-protobuf, application/json")),
        },
    }
}

/// Accepts log lines: newline-delimited JSON, JSON, plain text. Whether a body that begins with a bracket is an array.
pub(crate) fn require_logs(headers: &HeaderMap) -> Result<bool, Problem> {
    match of(headers)? {
        None => Ok(true),
        Some(media) => match media.essence.as_str() {
            JSON => Ok(true),
            NDJSON | JSON_LINES | TEXT => Ok(false),
            _ => Err(media.unsupported("application/x-ndjson, application/json, text/plain")),
        },
    }
}

impl MediaType {
    fn unsupported(&self, accepted: &'static str) -> Problem {
        Problem::unsupported(format!("the Content-Type {} is not supported, send {accepted}", self.full), accepted)
    }
}

/// The media type of JSON (RFC 8259).
pub(crate) const JSON: &str = "application/json";
/// The media type of protobuf, as OTLP names it.
pub(crate) const PROTOBUF: &str = "application/x-protobuf";
/// The media type of HTML forms.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of one CloudEvent.
pub(crate) const CLOUD_EVENT: &str = "application/cloudevents+json";
/// The media type of a batch of CloudEvents.
pub(crate) const CLOUD_EVENTS: &str = "application/cloudevents-batch+json";
/// The media type of plain text.
const TEXT: &str = "text/plain";
/// Another media type of newline-delimited JSON.
const JSON_LINES: &str = "application/jsonl";
/// The media type of newline-delimited JSON.
pub(crate) const NDJSON: &str = "application/x-ndjson";
