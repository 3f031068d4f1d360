//! What an HTTP answer means for a delivery. Pure.

use std::time::Duration;

use reqwest::StatusCode;

use crate::failure::{Failure, FailureKind};

/// The longest part of an answer's body that is quoted in a reason, in characters.
const QUOTED: usize = 200;

/// Success for 2xx. 408, 429 and 5xx may be tried again; other answers are refusals, redirects among them, since
/// they would lead to where nobody configured.
///
/// # Errors
/// What the answer means, where it is no success.
pub(super) fn judge(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => FailureKind::Throttled,
        StatusCode::REQUEST_TIMEOUT => FailureKind::Unavailable,
        _ if status.is_server_error() => FailureKind::Unavailable,
        _ => FailureKind::Refused,
    };
    let told = if status.is_redirection() { "a redirect, which is not followed".to_owned() } else { quote(body) };
    let separator = if told.is_empty() { "" } else { ": " };
    Err(Failure { kind, retry_after, reason: format!("answered {status}{separator}{told}"), attempts: 0 })
}

/// The beginning of a body, as text on one line.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTED).collect();
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16) -> Option<FailureKind> {
        judge(StatusCode::from_u16(status).unwrap(), None, b"").err().map(|failure| failure.kind)
    }

    #[test]
    fn every_status_is_a_success_a_reason_to_try_again_or_a_refusal() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(kind(status), None, "{status}");
        }
        for status in [408, 500, 502, 503, 504, 599] {
            assert_eq!(kind(status), Some(FailureKind::Unavailable), "{status}");
        }
        assert_eq!(kind(429), Some(FailureKind::Throttled));
        for status in [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 410, 413, 418, 451] {
            assert_eq!(kind(status), Some(FailureKind::Refused), "{status}");
        }
    }

    #[test]
    fn the_reason_quotes_the_answer_on_one_line() {
        let failure = judge(StatusCode::BAD_REQUEST, None, b"\ninvalid\r\npayload\x1b[31m").unwrap_err();
        assert_eq!(failure.reason, "answered 400 Bad Request: invalid  payload [31m");
        let failure = judge(StatusCode::BAD_GATEWAY, None, &[b'x'; 10_000]).unwrap_err();
        assert!(failure.reason.len() < 300);
    }
}
