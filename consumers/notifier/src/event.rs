//! The event that channels deliver.

use std::borrow::Cow;
use std::fmt::Write as _;

use millrace_domain::UtcDateTime;
use millrace_domain::traceparent::TraceParent;
use sha2::{Digest as _, Sha256};

/// A notification with the attributes of its envelope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    /// Its id, unique in the whole system; untrusted text from its producer.
    pub(crate) id: &'a str,
    /// Its CloudEvents type.
    pub(crate) kind: &'a str,
    /// Its CloudEvents time.
    pub(crate) time: UtcDateTime,
    /// The user it is for.
    pub(crate) user_id: &'a str,
    /// The text for the user.
    pub(crate) message: &'a str,
    /// The record's value as it was sent: one JSON object.
    pub(crate) value: &'a str,
    /// The trace that it belongs to, and the span of its processing where spans are exported.
    pub(crate) trace: Option<TraceParent>,
}

impl Event<'_> {
    /// The id of its trace, for log lines.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.trace.map(TraceParent::trace_id_text)
    }

    /// The id as a header value: all but visible ASCII is percent-encoded, and `%` as well, so that different ids stay
    /// different.
    pub(crate) fn id_for_header(&self) -> Cow<'_, str> {
        let is_literal = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
        if self.id.bytes().all(is_literal) {
            return Cow::Borrowed(self.id);
        }
        let mut encoded = String::with_capacity(self.id.len() + 16);
        for byte in self.id.bytes() {
            if is_literal(byte) {
                encoded.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        Cow::Owned(encoded)
    }
}

/// A stand-in for a text where the text itself is not allowed: the first 128 bits of its SHA-256, in hexadecimal digits.
pub(crate) fn fingerprint(text: &str) -> String {
    let mut digits = String::with_capacity(32);
    for byte in Sha256::digest(text.as_bytes()).iter().take(16) {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The notification of the contract's example.
    pub(crate) const EXAMPLE: Event<'static> = Event {
        id: "0198c5a0-0000-7000-8000-000000000001",
        kind: "millrace.notification.requested",
        time: UtcDateTime::constant(2026, 1, 31, 12, 0, 0),
        user_id: "12345",
        message: "Your order has shipped",
        value: r#"{"user_id": "12345", "message": "Your order has shipped", "n": 1.50}"#,
        trace: None,
    };

    #[test]
    fn an_id_is_encoded_for_a_header_only_where_needed() {
        assert_eq!(Event { id: "order-7.a~b", ..EXAMPLE }.id_for_header(), "order-7.a~b");
        assert_eq!(Event { id: "a b\r\nX: é", ..EXAMPLE }.id_for_header(), "a%20b%0D%0AX:%20%C3%A9");
    }

    #[test]
    fn an_id_with_a_percent_sign_stays_distinct() {
        assert_eq!(Event { id: "x y", ..EXAMPLE }.id_for_header(), "x%20y");
        assert_eq!(Event { id: "x%20y", ..EXAMPLE }.id_for_header(), "x%2520y");
    }
}
