//! Media types of requests.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

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
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let full = value.to_str().map_err(|_| Problem::malformed("the Content-Type is not ASCII"))?.trim();
    let essence = full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok((!full.is_empty()).then(|| MediaType { full: full.to_owned(), essence }))
}

/// What JSON routes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Json,
    Form,
}

/// Lets JSON pass, and requests that do not say what they are.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_TYPE) {
        None => Ok(()),
        // Nearly all say it like this.
        Some(value) if value.as_bytes() == JSON.as_bytes() => Ok(()),
        Some(_) => match of(headers)? {
            Some(media) if media.essence != JSON => Err(media.unsupported(JSON)),
            _ => Ok(()),
        },
    }
}

/// Lets JSON and forms pass, and takes requests that do not say what they are for JSON.
pub(crate) fn require_json_or_form(headers: &HeaderMap) -> Result<Body, Problem> {
    match of(headers)? {
        Some(media) if media.essence == FORM => Ok(Body::Form),
        Some(media) if media.essence != JSON => {
            Err(media.unsupported("application/json, application/x-www-form-urlencoded"))
        }
        _ => Ok(Body::Json),
    }
}

impl MediaType {
    fn unsupported(&self, accepted: &'static str) -> Problem {
        Problem::unsupported(format!("the Content-Type {} is not taken here, send {accepted}", self.full), accepted)
    }
}

/// The media type of JSON (RFC 8259).
pub(crate) const JSON: &str = "application/json";
/// The media type of HTML forms.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of one CloudEvent.
pub(crate) const CLOUD_EVENT: &str = "application/cloudevents+json";
/// The media type of a batch of CloudEvents.
pub(crate) const CLOUD_EVENTS: &str = "application/cloudevents-batch+json";
/// The media type of newline-delimited JSON.
pub(crate) const NDJSON: &str = "application/x-ndjson";
