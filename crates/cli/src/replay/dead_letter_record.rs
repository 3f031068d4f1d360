//! A dead letter, and the record to replay from it.

use std::collections::HashMap;
use std::fmt;

use millrace_domain::EventId;
use millrace_domain::catalogue::is_dead_letter_topic;
use millrace_domain::dead_letter::{Convention, DeadLetter, DeadLetterError, HEADER_PREFIX, sets};
use millrace_domain::envelope::{REPLAY_TIMESTAMP, own_id_and_time, time_of_record};
use millrace_kafka::{ProducerRecord, Record, headers};
use rdkafka::message::{Header, OwnedHeaders};
use thiserror::Error;

use crate::terminal_text::one_line;

/// A record read from a dead-letter topic.
#[derive(Debug, Clone)]
pub(super) struct DeadLetterRecord {
    /// Partition of the dead-letter topic.
    pub(super) partition: i32,
    /// Offset in the dead-letter topic.
    pub(super) offset: i64,
    /// Timestamp on the dead-letter topic, in milliseconds since the Unix epoch.
    pub(super) written: i64,
    /// The event's id.
    pub(super) id: EventId,
    /// The record's source position, and its last rejection.
    pub(super) source: DeadLetter,
    /// Why it cannot be replayed; `None` if it can.
    pub(super) no_source: Option<NoSource>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: OwnedHeaders,
    /// The partition to write to; `None` leaves it to the partitioner.
    target: Option<i32>,
}

/// Why a record of a dead-letter topic is no dead letter of Millrace.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NotADeadLetter {
    /// Written by another framework.
    #[error("is a dead letter of {} and stays: only Millrace's own can be replayed", listed(.0))]
    Foreign(Vec<Convention>),
    /// Its headers are missing or malformed.
    #[error("is no dead letter and stays: {0}")]
    Malformed(#[from] DeadLetterError),
    /// It was rejected more than once, and the newest headers are missing or malformed.
    #[error(
        "is an incomplete dead letter and stays: in the newest of its {sets} sets of {HEADER_PREFIX}* headers, {source}"
    )]
    MalformedSet {
        /// Number of header sets.
        sets: usize,
        /// The error of the newest set.
        source: DeadLetterError,
    },
}

/// Why a dead letter cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NoSource {
    /// The record was deleted before it was processed: the dead letter holds its position only.
    #[error("its record was deleted from its topic before it was processed, and no copy of it is left to replay")]
    Deleted,
    /// It is a dead letter of a dead letter, and there are no older headers.
    #[error(
        "it came from the dead-letter topic {0:?}, and has no older {HEADER_PREFIX}* headers that name the source topic"
    )]
    Unknown(String),
    /// The same, and older headers cannot be parsed.
    #[error("it came from the dead-letter topic {topic:?}, and in its older {HEADER_PREFIX}* headers, {source}")]
    Malformed {
        /// The topic in the newest set.
        topic: String,
        /// The error of the older set.
        source: DeadLetterError,
    },
}

impl DeadLetterRecord {
    /// Parses a dead letter; the error says what the record is instead.
    pub(super) fn read(record: &Record<'_>) -> Result<Self, NotADeadLetter> {
        let mut sets = sets(record.headers());
        let count = sets.len();
        let newest = sets.pop().unwrap_or(Err(DeadLetterError::Missing("dlq.topic")));
        let newest = newest.map_err(|error| not_a_dead_letter(record, count, error))?;
        let (kept_sets, source) = source(newest.clone(), sets);
        let (source, no_source) = match source {
            Ok(source) => {
                let deleted = source.is_of_deleted_record().then_some(NoSource::Deleted);
                (source, deleted)
            }
            Err(no_source) => (newest.clone(), Some(no_source)),
        };
        let DeadLetter { topic, partition, offset, timestamp, .. } = source;
        let source = DeadLetter { topic, partition, offset, timestamp, ..newest };
        let (id, own_headers) = with_identity(record, &source, headers_before(record, kept_sets));
        Ok(Self {
            partition: record.partition(),
            offset: record.offset(),
            written: record.timestamp(),
            id,
            source,
            no_source,
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: own_headers,
            target: None,
        })
    }

    /// Sets the partition, for a topic with `partitions`: the source partition if it exists, so that the record stays
    /// with the others of its key whichever partitioner wrote them; else the partitioner chooses by key.
    pub(super) fn at_partition_of(self, partitions: i32) -> Self {
        let target = Some(self.source.partition).filter(|partition| (0..partitions).contains(partition));
        Self { target, ..self }
    }

    /// The original record, for its source topic.
    pub(super) fn record(&self) -> ProducerRecord<'_> {
        ProducerRecord {
            topic: &self.source.topic,
            partition: self.target,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self.headers.clone(),
        }
    }

    /// Size of key and value in bytes.
    pub(super) fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

impl fmt::Display for DeadLetterRecord {
    /// One line: position, source, id, key and reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, offset, id, source, .. } = self;
        let topic = one_line(source.topic.as_bytes());
        let time = jiff::Timestamp::from_millisecond(self.written).unwrap_or_default();
        write!(f, "{partition}@{offset} {time:.3} from {topic}/{}@{} ", source.partition, source.offset)?;
        write!(f, "id={} ", one_line(id.as_str().as_bytes()))?;
        if let Some(key) = &self.key {
            write!(f, "key={} ", one_line(key))?;
        }
        let attempts = if source.attempts == 1 { "attempt" } else { "attempts" };
        write!(f, "{} after {} {attempts}: {}", source.class, source.attempts, one_line(source.reason.as_bytes()))
    }
}

fn not_a_dead_letter(record: &Record<'_>, sets: usize, error: DeadLetterError) -> NotADeadLetter {
    let names: Vec<&str> = record.headers().map(|(name, _)| name).collect();
    let foreign = if names.contains(&"dlq.topic") { Vec::new() } else { Convention::of_headers(&names) };
    match sets {
        _ if !foreign.is_empty() => NotADeadLetter::Foreign(foreign),
        1 => NotADeadLetter::Malformed(error),
        sets => NotADeadLetter::MalformedSet { sets, source: error },
    }
}

/// Index and content of the header set that names the source topic: the newest whose topic is no dead-letter topic. A
/// dead letter of a dead letter passed through dead-letter topics, which only a replay reads.
fn source(
    newest: DeadLetter,
    mut older: Vec<Result<DeadLetter, DeadLetterError>>,
) -> (usize, Result<DeadLetter, NoSource>) {
    let (index, topic) = (older.len(), newest.topic.clone());
    let mut set = Ok(newest);
    loop {
        match set {
            Err(source) => return (index, Err(NoSource::Malformed { topic, source })),
            Ok(dead_letter) if !is_dead_letter_topic(&dead_letter.topic) => return (older.len(), Ok(dead_letter)),
            Ok(_) => match older.pop() {
                Some(before) => set = before,
                None => return (index, Err(NoSource::Unknown(topic))),
            },
        }
    }
}

/// The record's headers without `dlq.*`, except the first `sets` of each name, which are kept at the end.
fn headers_before(record: &Record<'_>, sets: usize) -> OwnedHeaders {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let older = record.headers().filter(|(name, _)| {
        name.starts_with(HEADER_PREFIX) && {
            let index = seen.entry(name).or_default();
            *index += 1;
            *index <= sets
        }
    });
    older.fold(record.detach_headers_without(HEADER_PREFIX), |kept, (key, value)| kept.insert(Header { key, value }))
}

/// The event's id, and headers that keep its identity: a record without `ce_id` or `ce_time` gets those derived from
/// its source position and timestamp, which a replay changes.
fn with_identity(record: &Record<'_>, source: &DeadLetter, own: OwnedHeaders) -> (EventId, OwnedHeaders) {
    let (id, time) = own_id_and_time(record.headers());
    let mut missing = Vec::new();
    let position_id = EventId::from_position(&source.topic, source.partition, source.offset);
    if id.is_none() {
        missing.push(("ce_id", position_id.as_str().to_owned()));
        missing.push((REPLAY_TIMESTAMP, source.timestamp.to_string()));
    }
    if time.is_none() {
        missing.push(("ce_time", time_of_record(source.timestamp)));
    }
    (id.map_or(position_id, EventId::new), headers::append(own, missing))
}

fn listed(conventions: &[Convention]) -> String {
    let names: Vec<String> = conventions.iter().map(Convention::to_string).collect();
    names.join(" and of ")
}

#[cfg(test)]
mod tests {
    use millrace_domain::DeadLetterClass;
    use millrace_domain::dead_letter::RECORD_DELETED;
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn set(topic: &str, partition: i32) -> DeadLetter {
        DeadLetter {
            topic: topic.to_owned(),
            partition,
            offset: 42,
            timestamp: 1_769_860_800_000,
            group: "millrace-test".to_owned(),
            attempts: 1,
            class: DeadLetterClass::Permanent,
            reason: format!("refused on {topic}"),
        }
    }

    fn read(headers: Vec<(&'static str, String)>) -> Result<DeadLetterRecord, NotADeadLetter> {
        let headers = headers::append(OwnedHeaders::new(), headers);
        let (value, time) = (b"1".to_vec(), Timestamp::CreateTime(5));
        let message = OwnedMessage::new(Some(value), None, "orders.dlq.dlq".to_owned(), time, 0, 7, Some(headers));
        DeadLetterRecord::read(&Record::from(message))
    }

    fn names(dead_letter: &DeadLetterRecord) -> Vec<(String, String)> {
        let record = OwnedMessage::new(
            None,
            None,
            String::new(),
            Timestamp::NotAvailable,
            0,
            0,
            Some(dead_letter.headers.clone()),
        );
        let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
        Record::from(record).headers().map(|(name, value)| (name.to_owned(), text(value))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_dead_letter_of_a_dead_letter_goes_to_the_source_topic() {
        let headers = [set("orders", 2).headers(), set("orders.dlq", 0).headers()].concat();
        let dead_letter =
            read([vec![("ce_id", "a".to_owned()), ("ce_time", "b".to_owned())], headers].concat()).unwrap();
        assert_eq!((dead_letter.no_source.clone(), dead_letter.record().topic), (None, "orders"));
        assert_eq!((dead_letter.source.partition, dead_letter.source.reason.as_str()), (2, "refused on orders.dlq"));
        assert_eq!(names(&dead_letter), [pair("ce_id", "a"), pair("ce_time", "b")]);
    }

    #[test]
    fn only_the_newest_header_set_is_removed() {
        let headers = [set("orders", 1).headers(), set("orders", 2).headers()].concat();
        let dead_letter =
            read([headers, vec![("ce_id", "a".to_owned()), ("ce_time", "b".to_owned())]].concat()).unwrap();
        assert_eq!(dead_letter.source.partition, 2);
        let older = set("orders", 1).headers().map(|(name, value)| (name.to_owned(), value));
        assert_eq!(names(&dead_letter), [&[pair("ce_id", "a"), pair("ce_time", "b")][..], &older[..]].concat());
    }

    #[test]
    fn a_dead_letter_without_a_source_topic_stays() {
        let no_source = |headers| read(headers).unwrap().no_source.map(|reason| reason.to_string()).unwrap_or_default();
        assert!(no_source(set("orders.dlq", 0).headers().to_vec()).contains("no older dlq.* headers"));
        let half = [vec![("dlq.topic", "orders".to_owned())], set("orders.dlq", 0).headers().to_vec()].concat();
        // Headers are grouped by order: those of the second set count as the first's.
        let error = read(half).unwrap_err().to_string();
        assert!(
            error.contains("in the newest of its 2 sets of dlq.* headers, the header dlq.partition is missing"),
            "{error}"
        );
    }

    #[test]
    fn a_dead_letter_of_a_deleted_record_stays() {
        let deleted = DeadLetter { attempts: 0, reason: RECORD_DELETED.to_owned(), ..set("orders", 2) };
        let dead_letter = read(deleted.headers().to_vec()).unwrap();
        assert_eq!(dead_letter.no_source, Some(NoSource::Deleted));
        let text = dead_letter.to_string();
        assert!(
            text.ends_with(
                "permanent after 0 attempts: record was deleted from its topic before it was processed (retention)"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_record_without_id_and_time_keeps_its_identity() {
        let dead_letter = read(set("orders", 2).headers().to_vec()).unwrap();
        let expected = [
            pair("ce_id", "orders-2-42"),
            pair("replay.timestamp", "1769860800000"),
            pair("ce_time", "2026-01-31T12:00:00Z"),
        ];
        assert_eq!((dead_letter.id.as_str(), names(&dead_letter)), ("orders-2-42", expected.to_vec()));
    }

    #[test]
    fn a_dead_letter_of_another_framework_is_named() {
        let error = read(vec![("kafka_dlt-original-topic", "orders".to_owned())]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "is a dead letter of Spring Kafka (kafka_dlt-original-topic) and stays: only Millrace's own can be replayed"
        );
        assert_eq!(read(Vec::new()).unwrap_err(), NotADeadLetter::Malformed(DeadLetterError::Missing("dlq.topic")));
    }

    #[test]
    fn a_dead_letter_goes_to_its_partition_if_that_exists() {
        let dead_letter = read(set("orders", 2).headers().to_vec()).unwrap();
        assert_eq!(dead_letter.clone().at_partition_of(3).record().partition, Some(2));
        assert_eq!(dead_letter.at_partition_of(2).record().partition, None);
    }
}
