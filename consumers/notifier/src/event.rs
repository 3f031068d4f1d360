//! A notification as channels see it.

use std::borrow::Cow;
use std::fmt::Write as _;

use millrace_domain::UtcDateTime;
use sha2::{Digest as _, Sha256};

/// A notification with what its envelope says about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    /// Names the event in the whole system; text of whoever produced it.
    pub(crate) id: &'a str,
    /// Its CloudEvents type.
    pub(crate) kind: &'a str,
    /// When it happened.
    pub(crate) time: UtcDateTime,
    /// Whom it is for.
    pub(crate) user_id: &'a str,
    /// What to tell them.
    pub(crate) message: &'a str,
    /// The record's value as it was sent: one JSON object.
    pub(crate) value: &'a str,
}

impl Event<'_> {
    /// The id as it stands in a header: what is not a visible ASCII character is percent-encoded, and so is `%`, so that
    /// different ids stay different.
    pub(crate) fn id_for_header(&self) -> Cow<'_, str> {
        let stays = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
        if self.id.bytes().all(stays) {
            return Cow::Borrowed(self.id);
        }
        let mut encoded = String::with_capacity(self.id.len() + 16);
        for byte in self.id.bytes() {
            if stays(byte) {
                encoded.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        Cow::Owned(encoded)
    }
}

/// The name of a text where the text itself may not stand: the first 128 bits of its SHA-256, in hexadecimal digits.
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
    };

    #[test]
    fn an_id_stands_in_a_header_as_it_is_unless_it_would_break_it() {
        assert_eq!(Event { id: "order-7.a~b", ..EXAMPLE }.id_for_header(), "order-7.a~b");
        assert_eq!(Event { id: "a b\r\nX: é", ..EXAMPLE }.id_for_header(), "a%20b%0D%0AX:%20%C3%A9");
    }

    #[test]
    fn an_id_that_looks_encoded_is_not_taken_for_another() {
        assert_eq!(Event { id: "x y", ..EXAMPLE }.id_for_header(), "x%20y");
        assert_eq!(Event { id: "x%20y", ..EXAMPLE }.id_for_header(), "x%2520y");
    }
}
