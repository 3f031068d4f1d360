//! Classification of HTTP responses: delivered, to be retried, or rejected. Pure.

use std::time::Duration;

use reqwest::StatusCode;

use crate::failure::{PostFailure, PostFailureKind};

/// The longest part of a response body that is quoted in a reason, in characters.
const QUOTE_LIMIT: usize = 200;

/// 2xx is a success. 408, 429 and 5xx are retried; all else is a rejection. Redirects too: they would lead to a URL
/// that is not configured.
///
/// # Errors
/// The failure that a status other than 2xx means.
pub(crate) fn classify(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Result<(), PostFailure> {
    if status.is_success() {
        return Ok(());
    }
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => PostFailureKind::Throttled,
        StatusCode::REQUEST_TIMEOUT => PostFailureKind::Unavailable,
        _ if status.is_server_error() => PostFailureKind::Unavailable,
        _ => PostFailureKind::Refused,
    };
    let detail = if status.is_redirection() { "a redirect, which is not followed".to_owned() } else { quote(body) };
    let separator = if detail.is_empty() { "" } else { ": " };
    Err(PostFailure { kind, retry_after, reason: format!("answered {status}{separator}{detail}") })
}

/// The beginning of a body, on one line.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTE_LIMIT).collect();
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16) -> Option<PostFailureKind> {
        classify(StatusCode::from_u16(status).unwrap(), None, b"").err().map(|failure| failure.kind)
    }

    #[test]
    fn every_status_is_a_success_a_retry_or_a_rejection() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(kind(status), None, "{status}");
        }
        for status in [408, 500, 502, 503, 504, 599] {
            assert_eq!(kind(status), Some(PostFailureKind::Unavailable), "{status}");
        }
        assert_eq!(kind(429), Some(PostFailureKind::Throttled));
        for status in [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 410, 413, 418, 451] {
            assert_eq!(kind(status), Some(PostFailureKind::Refused), "{status}");
        }
    }

    #[test]
    fn the_reason_quotes_the_body_on_one_line() {
        let failure = classify(StatusCode::BAD_REQUEST, None, b"\ninvalid\r\npayload\x1b[31m").unwrap_err();
        assert_eq!(failure.reason, "answered 400 Bad Request: invalid  payload [31m");
        let failure = classify(StatusCode::BAD_GATEWAY, None, &[b'x'; 10_000]).unwrap_err();
        assert!(failure.reason.len() < 300);
    }
}
