//! The eight `dlq.*` headers that a dead letter has besides the record's own.

mod convention;

use std::collections::HashMap;

use thiserror::Error;

pub use self::convention::Convention;
use crate::error_class::DeadLetterClass;

/// The prefix of all dead-letter headers.
pub const HEADER_PREFIX: &str = "dlq.";

/// Reason of a dead letter whose record was deleted before it was processed: the dead letter has no key, no value and only
/// its own headers.
pub const RECORD_DELETED: &str = "record was deleted from its topic before it was processed (retention)";

/// A dead letter's source position and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// `dlq.topic`: the source topic.
    pub topic: String,
    /// `dlq.partition`.
    pub partition: i32,
    /// `dlq.offset`.
    pub offset: i64,
    /// `dlq.timestamp`: the record's own, in milliseconds since the Unix epoch; -1 where it has none.
    pub timestamp: i64,
    /// `dlq.group`: the consumer group that refused it.
    pub group: String,
    /// `dlq.attempts`: number of processing attempts.
    pub attempts: u32,
    /// `dlq.error.class`.
    pub class: DeadLetterClass,
    /// `dlq.error.reason`, for a person to read.
    pub reason: String,
}

/// A record on a dead-letter topic that is not a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeadLetterError {
    /// A header is missing.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header has an invalid value.
    #[error("the header {name} is {value:?}, expected a {expected}")]
    Malformed {
        /// The header.
        name: &'static str,
        /// Its value.
        value: String,
        /// The expected kind of value.
        expected: &'static str,
    },
}

/// The headers of one set.
const NAMES: [&str; 8] = [
    "dlq.topic",
    "dlq.partition",
    "dlq.offset",
    "dlq.timestamp",
    "dlq.group",
    "dlq.attempts",
    "dlq.error.class",
    "dlq.error.reason",
];

/// Longest reason, in bytes; a longer one is truncated so that the dead letter stays within `max.message.bytes`.
const REASON_LIMIT: usize = 4096;

impl DeadLetter {
    /// Whether the letter stands for a record that was deleted: it holds nothing but the record's position.
    pub fn is_of_deleted_record(&self) -> bool {
        self.reason == RECORD_DELETED
    }

    /// The headers to append to the record's own.
    pub fn headers(&self) -> [(&'static str, String); 8] {
        [
            ("dlq.topic", self.topic.clone()),
            ("dlq.partition", self.partition.to_string()),
            ("dlq.offset", self.offset.to_string()),
            ("dlq.timestamp", self.timestamp.to_string()),
            ("dlq.group", self.group.clone()),
            ("dlq.attempts", self.attempts.to_string()),
            ("dlq.error.class", self.class.as_str().to_owned()),
            ("dlq.error.reason", truncated(&self.reason).to_owned()),
        ]
    }
}

/// The header sets of a dead letter, oldest first: at least one. A dead letter that is refused again has a set for each
/// refusal. A set's headers are those with the same index among the headers of their name; other headers are ignored.
pub fn sets<'a>(
    headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> Vec<Result<DeadLetter, DeadLetterError>> {
    let mut values: HashMap<&str, Vec<Option<&str>>> = HashMap::new();
    for (name, value) in headers {
        if NAMES.contains(&name) {
            values.entry(name).or_default().push(value.and_then(|value| str::from_utf8(value).ok()));
        }
    }
    let count = values.values().map(Vec::len).max().unwrap_or(1);
    (0..count).map(|index| set(&values, index)).collect()
}

fn set(values: &HashMap<&str, Vec<Option<&str>>>, index: usize) -> Result<DeadLetter, DeadLetterError> {
    let text = |name| {
        let value = values.get(name).and_then(|values| *values.get(index)?);
        value.ok_or(DeadLetterError::Missing(name))
    };
    Ok(DeadLetter {
        topic: text("dlq.topic")?.to_owned(),
        partition: number("dlq.partition", text("dlq.partition")?)?,
        offset: number("dlq.offset", text("dlq.offset")?)?,
        timestamp: number("dlq.timestamp", text("dlq.timestamp")?)?,
        group: text("dlq.group")?.to_owned(),
        attempts: number("dlq.attempts", text("dlq.attempts")?)?,
        class: class(text("dlq.error.class")?)?,
        reason: text("dlq.error.reason")?.to_owned(),
    })
}

fn number<T: std::str::FromStr>(name: &'static str, value: &str) -> Result<T, DeadLetterError> {
    let malformed = |_| DeadLetterError::Malformed { name, value: value.to_owned(), expected: "number" };
    value.parse().map_err(malformed)
}

fn class(value: &str) -> Result<DeadLetterClass, DeadLetterError> {
    DeadLetterClass::from_text(value).ok_or_else(|| DeadLetterError::Malformed {
        name: "dlq.error.class",
        value: value.to_owned(),
        expected: "class (permanent or transient)",
    })
}

fn truncated(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_LIMIT)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn dead_letter()(
            topic in "[a-z.-]{1,30}", partition in 0i32.., offset in 0i64.., timestamp in -1i64.., group in "\\PC{1,30}",
            attempts in 1u32.., permanent: bool, reason in "\\PC{0,200}",
        ) -> DeadLetter {
            let class = if permanent { DeadLetterClass::Permanent } else { DeadLetterClass::Transient };
            DeadLetter { topic, partition, offset, timestamp, group, attempts, class, reason }
        }
    }

    proptest! {
        #[test]
        fn dead_letters_round_trip_through_their_headers(dead_letters in prop::collection::vec(dead_letter(), 1..4)) {
            let headers: Vec<_> = dead_letters.iter().flat_map(DeadLetter::headers).collect();
            let read = sets(headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))));
            prop_assert_eq!(read, dead_letters.into_iter().map(Ok).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_record_without_dlq_headers_is_not_a_dead_letter() {
        assert_eq!(sets([]), [Err(DeadLetterError::Missing("dlq.topic"))]);
    }

    #[test]
    fn parts_of_two_sets_are_never_mixed() {
        let dead_letter = DeadLetter {
            topic: "orders".to_owned(),
            partition: 1,
            offset: 2,
            timestamp: 3,
            group: "millrace-payments".to_owned(),
            attempts: 1,
            class: DeadLetterClass::Permanent,
            reason: "no".to_owned(),
        };
        let headers = [dead_letter.headers().to_vec(), vec![("dlq.topic", "orders.dlq".to_owned())]].concat();
        let read = sets(headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))));
        assert_eq!(read, [Ok(dead_letter), Err(DeadLetterError::Missing("dlq.partition"))]);
    }

    #[test]
    fn a_long_reason_is_truncated_at_a_character() {
        let reason = "é".repeat(REASON_LIMIT);
        assert_eq!(truncated(&reason).len(), REASON_LIMIT);
        assert_eq!(truncated(&format!("x{reason}")).len(), REASON_LIMIT - 1);
    }
}
