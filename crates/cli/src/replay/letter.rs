//! A dead letter, and the record it was.

use std::fmt;

use millrace_domain::EventId;
use millrace_domain::dead_letter::{DeadLetter, DeadLetterError, HEADER_PREFIX};
use millrace_kafka::{ProducerRecord, Record};
use rdkafka::message::OwnedHeaders;

use super::filter::event_id;
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
    /// Where the record came from and why it was refused.
    pub(super) about: DeadLetter,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: OwnedHeaders,
}

impl Letter {
    /// Reads a dead letter; the error names the header that it lacks.
    pub(super) fn read(record: &Record<'_>) -> Result<Self, DeadLetterError> {
        let about = DeadLetter::from_headers(record.headers())?;
        Ok(Self {
            partition: record.partition(),
            offset: record.offset(),
            written: record.timestamp(),
            id: event_id(record, &about),
            about,
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: record.detach_headers_without(HEADER_PREFIX),
        })
    }

    /// The record as it was before it was refused, for the topic it was read from. Its key finds its partition.
    pub(super) fn record(&self) -> ProducerRecord<'_> {
        ProducerRecord {
            topic: &self.about.topic,
            partition: None,
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
