//! Event ids: one id for one event in the whole system.

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

/// The id of an event: the caller's idempotency key, a CloudEvent's own id, or a UUIDv7 (RFC 9562).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(String);

/// An invalid `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdempotencyKeyError {
    /// An empty key, bare or quoted.
    #[error("the Idempotency-Key is empty")]
    Empty,
    /// Longer than 255 characters.
    #[error("the Idempotency-Key is longer than 255 characters")]
    TooLong,
    /// A space, a control character or a character outside of ASCII.
    #[error("the Idempotency-Key may hold visible ASCII characters only")]
    NotVisibleAscii,
    /// An unbalanced quote, or an invalid escape.
    #[error("the Idempotency-Key has an unbalanced quote or escape")]
    Unbalanced,
}

const KEY_LIMIT: usize = 255;

impl EventId {
    /// An id from trusted text, such as a stored record's.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A new UUIDv7 of the current time.
    pub fn random() -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        Self(uuid::Uuid::now_v7().hyphenated().encode_lower(&mut buffer).to_owned())
    }

    /// The id of a record without one: its position, `topic-partition-offset`.
    pub fn from_position(topic: &str, partition: i32, offset: i64) -> Self {
        Self(format!("{topic}-{partition}-{offset}"))
    }

    /// Reads an `Idempotency-Key` header, bare or as a quoted string
    /// (draft-ietf-httpapi-idempotency-key-header, RFC 8941 section 3.3.3).
    ///
    /// # Errors
    /// [`IdempotencyKeyError`] where the key is invalid.
    pub fn from_idempotency_key(header: &[u8]) -> Result<Self, IdempotencyKeyError> {
        let header = header.trim_ascii();
        let key = match header.strip_prefix(b"\"") {
            Some(rest) => unquote(rest)?,
            None => header.to_vec(),
        };
        if key.is_empty() {
            return Err(IdempotencyKeyError::Empty);
        }
        if !key.iter().all(u8::is_ascii_graphic) {
            return Err(IdempotencyKeyError::NotVisibleAscii);
        }
        if key.len() > KEY_LIMIT {
            return Err(IdempotencyKeyError::TooLong);
        }
        String::from_utf8(key).map(Self).map_err(|_| IdempotencyKeyError::NotVisibleAscii)
    }

    /// When the edge made it; `None` where a caller did.
    pub fn created(&self) -> Option<Timestamp> {
        let id = uuid::Uuid::try_parse(&self.0).ok().filter(|id| id.get_version_num() == 7)?;
        let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The content of a quoted string, after its opening quote.
fn unquote(rest: &[u8]) -> Result<Vec<u8>, IdempotencyKeyError> {
    let mut key = Vec::with_capacity(rest.len());
    let mut bytes = rest.iter().copied();
    loop {
        match bytes.next().ok_or(IdempotencyKeyError::Unbalanced)? {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(escaped @ (b'"' | b'\\')) => key.push(escaped),
                _ => return Err(IdempotencyKeyError::Unbalanced),
            },
            byte => key.push(byte),
        }
    }
    if bytes.next().is_some() {
        return Err(IdempotencyKeyError::Unbalanced);
    }
    Ok(key)
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_key_may_be_bare_or_quoted() {
        for (header, id) in [
            ("abc-1", "abc-1"),
            ("\"abc-1\"", "abc-1"),
            ("  abc  ", "abc"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("a\"b", "a\"b"),
        ] {
            assert_eq!(EventId::from_idempotency_key(header.as_bytes()).unwrap().as_str(), id);
        }
        let longest = "k".repeat(255);
        assert_eq!(EventId::from_idempotency_key(longest.as_bytes()).unwrap().as_str(), longest);
    }

    #[test]
    fn an_invalid_idempotency_key_is_refused_with_the_reason() {
        let too_long = "k".repeat(256);
        for (header, error) in [
            (&b""[..], IdempotencyKeyError::Empty),
            (b"\"\"", IdempotencyKeyError::Empty),
            (b"\"abc", IdempotencyKeyError::Unbalanced),
            (b"\"abc\"d", IdempotencyKeyError::Unbalanced),
            (b"\"a\\n\"", IdempotencyKeyError::Unbalanced),
            (b"a b", IdempotencyKeyError::NotVisibleAscii),
            (b"\"a b\"", IdempotencyKeyError::NotVisibleAscii),
            ("schlüssel".as_bytes(), IdempotencyKeyError::NotVisibleAscii),
            (b"a\x7f", IdempotencyKeyError::NotVisibleAscii),
            (too_long.as_bytes(), IdempotencyKeyError::TooLong),
        ] {
            assert_eq!(EventId::from_idempotency_key(header), Err(error));
        }
    }

    #[test]
    fn an_id_of_the_edge_says_when_it_was_made() {
        let created = |id: &str| EventId::new(id).created();
        // RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00.
        assert_eq!(created("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), Some("2022-02-22T19:22:22Z".parse().unwrap()));
        for other in ["919108f7-52d1-4320-9bac-f847db4148a8", "orders-0-1", "", "a1"] {
            assert_eq!(created(other), None, "{other}");
        }
        assert!(
            EventId::random().created().unwrap().duration_since(Timestamp::now()).abs()
                < jiff::SignedDuration::from_mins(1)
        );
    }

    #[test]
    fn random_ids_are_version_7_uuids_and_sort_by_time() {
        let ids: Vec<_> = (0..100).map(|_| EventId::random()).collect();
        assert!(ids.iter().all(|id| id.as_str().len() == 36 && id.as_str().as_bytes()[14] == b'7'));
        assert!(ids.is_sorted());
    }
}
