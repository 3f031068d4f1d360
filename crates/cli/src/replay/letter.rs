//! A dead letter, and the record it was.

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
pub(super) struct Letter {
    /// Its partition on the dead-letter topic.
    pub(super) partition: i32,
    /// Its offset there.
    pub(super) offset: i64,
    /// When it was written there, in milliseconds since the Unix epoch.
    pub(super) written: i64,
    /// The event's id.
    pub(super) id: EventId,
    /// Where the record came from and why it was refused, at last where that was more than once.
    pub(super) about: DeadLetter,
    /// Why it cannot go back; `None` where it can.
    pub(super) stuck: Option<NoSource>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: OwnedHeaders,
    /// The partition to write it to; `None` leaves it to the key.
    target: Option<i32>,
}

/// A record on a dead-letter topic that is no letter of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NoLetter {
    /// Somebody else's.
    #[error("is a dead letter of {} and stays: only Millrace's own can be replayed", listed(.0))]
    Foreign(Vec<Convention>),
    /// Its headers are missing or malformed.
    #[error("is no dead letter and stays: {0}")]
    Malformed(#[from] DeadLetterError),
    /// It was refused more than once, and what was written last is missing or malformed.
    #[error(
        "is no whole dead letter and stays: in the newest of its {sets} sets of {HEADER_PREFIX}* headers, {source}"
    )]
    MalformedSet {
        /// How many there are.
        sets: usize,
        /// What is wrong with the newest.
        source: DeadLetterError,
    },
}

/// Why a dead letter cannot go back.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NoSource {
    /// The record was deleted before it was processed: the letter holds its position only.
    #[error("its record was deleted from its topic before it was processed, and no copy of it is left to replay")]
    Deleted,
    /// It is a dead letter of a dead letter, and there is no older one.
    #[error(
        "it came from the dead-letter topic {0:?}, and no older {HEADER_PREFIX}* headers say where that had it from"
    )]
    Unknown(String),
    /// The same, and an older one cannot be read.
    #[error("it came from the dead-letter topic {topic:?}, and in its older {HEADER_PREFIX}* headers, {source}")]
    Malformed {
        /// The topic of the newest.
        topic: String,
        /// What is wrong with the older.
        source: DeadLetterError,
    },
}

impl Letter {
    /// Reads a dead letter; the error says what it is instead.
    pub(super) fn read(record: &Record<'_>) -> Result<Self, NoLetter> {
        let mut sets = sets(record.headers());
        let count = sets.len();
        let newest = sets.pop().unwrap_or(Err(DeadLetterError::Missing("dlq.topic")));
        let newest = newest.map_err(|error| no_letter(record, count, error))?;
        let (taken_off, source) = source(newest.clone(), sets);
        let (source, stuck) = match source {
            Ok(source) => {
                let stuck = source.is_of_deleted_record().then_some(NoSource::Deleted);
                (source, stuck)
            }
            Err(stuck) => (newest.clone(), Some(stuck)),
        };
        let DeadLetter { topic, partition, offset, timestamp, .. } = source;
        let about = DeadLetter { topic, partition, offset, timestamp, ..newest };
        let (id, own_headers) = named(record, &about, headers_before(record, taken_off));
        Ok(Self {
            partition: record.partition(),
            offset: record.offset(),
            written: record.timestamp(),
            id,
            about,
            stuck,
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: own_headers,
            target: None,
        })
    }

    /// The letter for a topic of so many partitions: back to the one that it came from while that is there, so that it
    /// stays with the other records of its key whoever wrote them; else its key finds one.
    pub(super) fn addressed(self, partitions: i32) -> Self {
        let target = Some(self.about.partition).filter(|partition| (0..partitions).contains(partition));
        Self { target, ..self }
    }

    /// The record as it was before it was refused, for the topic it was read from.
    pub(super) fn record(&self) -> ProducerRecord<'_> {
        ProducerRecord {
            topic: &self.about.topic,
            partition: self.target,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self.headers.clone(),
        }
    }

    /// How much memory its key and value take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

impl fmt::Display for Letter {
    /// One line: where it stands, what it was, and why it is there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, offset, id, about, .. } = self;
        let topic = one_line(about.topic.as_bytes());
        let time = jiff::Timestamp::from_millisecond(self.written).unwrap_or_default();
        write!(f, "{partition}@{offset} {time:.3} from {topic}/{}@{} ", about.partition, about.offset)?;
        write!(f, "id={} ", one_line(id.as_str().as_bytes()))?;
        if let Some(key) = &self.key {
            write!(f, "key={} ", one_line(key))?;
        }
        let attempts = if about.attempts == 1 { "attempt" } else { "attempts" };
        write!(f, "{} after {} {attempts}: {}", about.class, about.attempts, one_line(about.reason.as_bytes()))
    }
}

fn no_letter(record: &Record<'_>, sets: usize, error: DeadLetterError) -> NoLetter {
    let names: Vec<&str> = record.headers().map(|(name, _)| name).collect();
    let foreign = if names.contains(&"dlq.topic") { Vec::new() } else { Convention::of_headers(&names) };
    match sets {
        _ if !foreign.is_empty() => NoLetter::Foreign(foreign),
        1 => NoLetter::Malformed(error),
        sets => NoLetter::MalformedSet { sets, source: error },
    }
}

/// Which set of headers says where the record goes, by its index, and that set: the newest whose topic is no dead-letter
/// topic. A letter of a letter came from there by way of dead-letter topics, which nobody reads but a replay.
fn source(
    newest: DeadLetter,
    mut older: Vec<Result<DeadLetter, DeadLetterError>>,
) -> (usize, Result<DeadLetter, NoSource>) {
    let (index, topic) = (older.len(), newest.topic.clone());
    let mut set = Ok(newest);
    loop {
        match set {
            Err(source) => return (index, Err(NoSource::Malformed { topic, source })),
            Ok(letter) if !is_dead_letter_topic(&letter.topic) => return (older.len(), Ok(letter)),
            Ok(_) => match older.pop() {
                Some(before) => set = before,
                None => return (index, Err(NoSource::Unknown(topic))),
            },
        }
    }
}

/// The record's headers without those of dead letters, of which it keeps the first `sets` of each name, at the end.
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

/// The event's id, and headers that name it: a record without an id or a time of its own gets those that it was read
/// by, which its new position and its new timestamp would change.
fn named(record: &Record<'_>, about: &DeadLetter, own: OwnedHeaders) -> (EventId, OwnedHeaders) {
    let (id, time) = own_id_and_time(record.headers());
    let mut missing = Vec::new();
    let place = EventId::from_position(&about.topic, about.partition, about.offset);
    if id.is_none() {
        missing.push(("ce_id", place.as_str().to_owned()));
        missing.push((REPLAY_TIMESTAMP, about.timestamp.to_string()));
    }
    if time.is_none() {
        missing.push(("ce_time", time_of_record(about.timestamp)));
    }
    (id.map_or(place, EventId::new), headers::append(own, missing))
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

    fn read(headers: Vec<(&'static str, String)>) -> Result<Letter, NoLetter> {
        let headers = headers::append(OwnedHeaders::new(), headers);
        let (value, time) = (b"1".to_vec(), Timestamp::CreateTime(5));
        let message = OwnedMessage::new(Some(value), None, "orders.dlq.dlq".to_owned(), time, 0, 7, Some(headers));
        Letter::read(&Record::from(message))
    }

    fn names(letter: &Letter) -> Vec<(String, String)> {
        let record =
            OwnedMessage::new(None, None, String::new(), Timestamp::NotAvailable, 0, 0, Some(letter.headers.clone()));
        let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
        Record::from(record).headers().map(|(name, value)| (name.to_owned(), text(value))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_letter_of_a_letter_goes_to_the_topic_that_the_record_came_from() {
        let headers = [set("orders", 2).headers(), set("orders.dlq", 0).headers()].concat();
        let letter = read([vec![("ce_id", "a".to_owned()), ("ce_time", "b".to_owned())], headers].concat()).unwrap();
        assert_eq!((letter.stuck.clone(), letter.record().topic), (None, "orders"));
        assert_eq!((letter.about.partition, letter.about.reason.as_str()), (2, "refused on orders.dlq"));
        assert_eq!(names(&letter), [pair("ce_id", "a"), pair("ce_time", "b")]);
    }

    #[test]
    fn only_the_newest_set_comes_off() {
        let headers = [set("orders", 1).headers(), set("orders", 2).headers()].concat();
        let letter = read([headers, vec![("ce_id", "a".to_owned()), ("ce_time", "b".to_owned())]].concat()).unwrap();
        assert_eq!(letter.about.partition, 2);
        let older = set("orders", 1).headers().map(|(name, value)| (name.to_owned(), value));
        assert_eq!(names(&letter), [&[pair("ce_id", "a"), pair("ce_time", "b")][..], &older[..]].concat());
    }

    #[test]
    fn a_letter_that_no_topic_but_a_dead_letter_topic_is_named_for_stays() {
        let stuck = |headers| read(headers).unwrap().stuck.map(|reason| reason.to_string()).unwrap_or_default();
        assert!(stuck(set("orders.dlq", 0).headers().to_vec()).contains("no older dlq.* headers"));
        let half = [vec![("dlq.topic", "orders".to_owned())], set("orders.dlq", 0).headers().to_vec()].concat();
        // By their order the parts of the second set are those of the first.
        let error = read(half).unwrap_err().to_string();
        assert!(
            error.contains("in the newest of its 2 sets of dlq.* headers, the header dlq.partition is missing"),
            "{error}"
        );
    }

    #[test]
    fn a_letter_of_a_deleted_record_stays_and_is_no_tombstone() {
        let deleted = DeadLetter { attempts: 0, reason: RECORD_DELETED.to_owned(), ..set("orders", 2) };
        let letter = read(deleted.headers().to_vec()).unwrap();
        assert_eq!(letter.stuck, Some(NoSource::Deleted));
        let text = letter.to_string();
        assert!(
            text.ends_with(
                "permanent after 0 attempts: record was deleted from its topic before it was processed (retention)"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_record_without_id_and_time_gets_those_it_was_read_by() {
        let letter = read(set("orders", 2).headers().to_vec()).unwrap();
        let expected = [
            pair("ce_id", "orders-2-42"),
            pair("replay.timestamp", "1769860800000"),
            pair("ce_time", "2026-01-31T12:00:00Z"),
        ];
        assert_eq!((letter.id.as_str(), names(&letter)), ("orders-2-42", expected.to_vec()));
    }

    #[test]
    fn a_letter_of_another_writer_is_named() {
        let error = read(vec![("kafka_dlt-original-topic", "orders".to_owned())]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "is a dead letter of Spring Kafka (kafka_dlt-original-topic) and stays: only Millrace's own can be replayed"
        );
        assert_eq!(read(Vec::new()).unwrap_err(), NoLetter::Malformed(DeadLetterError::Missing("dlq.topic")));
    }

    #[test]
    fn a_letter_goes_to_its_partition_while_the_topic_has_it() {
        let letter = read(set("orders", 2).headers().to_vec()).unwrap();
        assert_eq!(letter.clone().addressed(3).record().partition, Some(2));
        assert_eq!(letter.addressed(2).record().partition, None);
    }
}
