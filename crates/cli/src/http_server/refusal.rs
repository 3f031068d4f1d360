//! Heads that hyper cannot take.
//!
//! hyper answers these before a service sees them, with a status and nothing else, and lets nobody change that. Every
//! error here is a problem (RFC 9457), and so are these: the connection writes another answer in the place of hyper's.

use http::StatusCode;
use millrace_domain::EventId;
use millrace_edge::Problem;

/// What takes the place of an answer that hyper has made by itself; `None` for any other text.
pub(super) fn in_place_of(answer: &[u8]) -> Option<Vec<u8>> {
    let status = StatusCode::from_bytes(answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?;
    let detail = match status {
        StatusCode::BAD_REQUEST => {
            "the request's head is no HTTP/1.1: its method, its target, its version or a header field is malformed"
        }
        StatusCode::URI_TOO_LONG => "the request's target has more than 65,534 bytes",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the request has more than 100 header fields, or a head of more than 400 KiB"
        }
        _ => return None,
    };
    let head = str::from_utf8(answer).ok()?.strip_suffix("\r\n\r\n")?;
    // The router's answers have an id, and a problem as their body.
    if head.contains("\r\nx-request-id: ") {
        return None;
    }
    let (before, behind) = head.split_once("\r\ncontent-length: 0")?;
    let body = serde_json::to_string(&Problem::new(status, detail).body()).ok()?;
    let answer = format!(
        "{before}\r\ncontent-type: application/problem+json\r\nx-request-id: {}\r\ncontent-length: {}{behind}\r\n\r\n{body}",
        EventId::random(),
        body.len(),
    );
    Some(answer.into_bytes())
}
