//! Problem documents (RFC 9457) for request heads that hyper rejects.
//!
//! hyper answers these before a service sees them, with a bare status, and has no hook to change that. So the
//! connection writes a problem in place of hyper's response, as for every other error of the edge.

use http::StatusCode;
use millrace_domain::EventId;
use millrace_edge::Problem;

/// The problem that replaces hyper's own error response; `None` for any other bytes.
pub(super) fn problem_response(response: &[u8]) -> Option<Vec<u8>> {
    let status = StatusCode::from_bytes(response.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?;
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
    let head = str::from_utf8(response).ok()?.strip_suffix("\r\n\r\n")?;
    // The router's responses have a request id, and a problem as their body.
    if head.contains("\r\nx-request-id: ") {
        return None;
    }
    let (before, behind) = head.split_once("\r\ncontent-length: 0")?;
    let body = serde_json::to_string(&Problem::new(status, detail).body()).ok()?;
    let response = format!(
        "{before}\r\ncontent-type: application/problem+json\r\nx-request-id: {}\r\ncontent-length: {}{behind}\r\n\r\n{body}",
        EventId::random(),
        body.len(),
    );
    Some(response.into_bytes())
}
