//! A consumed record.

use millrace_domain::envelope::{REPLAY_TIMESTAMP, own_id_and_time, time_of_record};
use millrace_domain::event::EventType;
use millrace_domain::traceparent::TraceParent;
use millrace_domain::{Digest, Envelope, EventId, digest};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, OwnedHeaders, OwnedMessage};

use crate::ffi;

/// A record read from a topic. It borrows the client's fetch buffer; headers are parsed on access.
#[derive(Debug)]
pub struct Record<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    Fetched(BorrowedMessage<'a>),
    Owned(OwnedMessage),
}

macro_rules! of_source {
    ($record:expr, $message:ident => $body:expr) => {
        match &$record.0 {
            Source::Fetched($message) => $body,
            Source::Owned($message) => $body,
        }
    };
}

impl Record<'_> {
    /// The topic it was read from.
    pub fn topic(&self) -> &str {
        of_source!(self, message => message.topic())
    }

    /// The partition it was read from.
    pub fn partition(&self) -> i32 {
        of_source!(self, message => message.partition())
    }

    /// Its offset in the partition.
    pub fn offset(&self) -> i64 {
        of_source!(self, message => message.offset())
    }

    /// Its timestamp in milliseconds since the Unix epoch; -1 where it has none.
    pub fn timestamp(&self) -> i64 {
        of_source!(self, message => message.timestamp().to_millis().unwrap_or(-1))
    }

    /// Its key.
    pub fn key(&self) -> Option<&[u8]> {
        of_source!(self, message => message.key())
    }

    /// Its value; `None` for a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        of_source!(self, message => message.payload())
    }

    /// The size of its key and value in bytes.
    pub fn size(&self) -> usize {
        self.key().map_or(0, <[u8]>::len) + self.value().map_or(0, <[u8]>::len)
    }

    /// Its headers in order, repeated and null ones included, without those whose name is not UTF-8.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let headers = match &self.0 {
            Source::Fetched(message) => message.headers().map(ffi::headers),
            Source::Owned(message) => message.headers().map(|headers| ffi::headers(headers.as_borrowed())),
        };
        headers.into_iter().flatten()
    }

    /// Copies it out of the fetch buffer.
    pub fn into_owned(self) -> Record<'static> {
        match self.0 {
            Source::Fetched(message) => message.detach().into(),
            Source::Owned(message) => message.into(),
        }
    }

    /// A copy of all its headers, byte for byte.
    pub fn detach_headers(&self) -> OwnedHeaders {
        let copy = match &self.0 {
            Source::Fetched(message) => message.headers().map(rdkafka::message::BorrowedHeaders::detach),
            Source::Owned(message) => message.headers().cloned(),
        };
        copy.unwrap_or_else(OwnedHeaders::new)
    }

    /// A copy of its headers byte for byte, without those whose name begins with `prefix`.
    pub fn detach_headers_without(&self, prefix: &str) -> OwnedHeaders {
        ffi::remove_headers(self.detach_headers(), prefix)
    }

    /// Its id, for log lines and spans: `ce_id`, or its position.
    pub fn id(&self) -> String {
        let (id, _) = own_id_and_time(self.headers());
        id.map_or_else(
            || EventId::from_position(self.topic(), self.partition(), self.offset()).as_str().to_owned(),
            str::to_owned,
        )
    }

    /// The trace that it belongs to, and its parent span; `None` where it has none.
    pub fn trace(&self) -> Option<TraceParent> {
        let headers = self.headers().filter(|(name, _)| *name == "traceparent");
        headers.filter_map(|(_, value)| str::from_utf8(value?).ok()).last().and_then(TraceParent::parse)
    }

    /// The trace that it belongs to, as log lines show it.
    pub fn trace_id(&self) -> Option<String> {
        self.trace().map(TraceParent::trace_id_text)
    }

    /// Its envelope. What the headers lack is derived from its topic and position.
    pub fn envelope(&self) -> Envelope<'static> {
        Envelope::from_headers(self.headers(), || self.default_envelope())
    }

    /// Whether this id is the record's position, `topic-partition-offset`, because its producer set none.
    pub fn is_synthetic_id(&self, id: &EventId) -> bool {
        id.as_str().starts_with(self.topic())
            && *id == EventId::from_position(self.topic(), self.partition(), self.offset())
    }

    /// The digest of its event under this id. After a topic is created again, a position names another record, so the
    /// digest under a synthetic id includes the timestamp of the record that got it.
    pub fn digest_under(&self, id: &EventId, event: Digest) -> Digest {
        let timestamp = if self.is_synthetic_id(id) { Some(self.timestamp()) } else { self.replay_timestamp(id) };
        timestamp.map_or(event, |timestamp| digest::at_place(event, timestamp))
    }

    /// The timestamp of the original record, for a record that a replay wrote.
    fn replay_timestamp(&self, id: &EventId) -> Option<i64> {
        if !id.as_str().starts_with(self.topic()) {
            return None;
        }
        self.headers()
            .filter(|(name, _)| *name == REPLAY_TIMESTAMP)
            .filter_map(|(_, value)| replay_timestamp(value?))
            .last()
    }

    /// The time of its event in milliseconds since the Unix epoch: its `ce_time`, else its timestamp.
    pub fn event_time(&self) -> i64 {
        let (_, time) = own_id_and_time(self.headers());
        let time = time.and_then(|time| time.parse().ok());
        time.map_or_else(|| self.timestamp(), jiff::Timestamp::as_millisecond)
    }

    /// The envelope of a record without headers.
    fn default_envelope(&self) -> Envelope<'static> {
        let topic = self.topic();
        let kind = millrace_domain::event::EVENT_TYPES.iter().find(|kind| kind.topic == topic);
        Envelope {
            id: EventId::from_position(topic, self.partition(), self.offset()),
            event_type: kind
                .map_or(millrace_domain::event::REGISTERED, |kind| -> &'static EventType { kind })
                .name
                .into(),
            source: format!("/kafka/{topic}").into(),
            time: time_of_record(self.timestamp()).into(),
            content_type: "application/json".into(),
            traceparent: None,
            attributes: Vec::new(),
        }
    }
}

/// Reads the value of a [`REPLAY_TIMESTAMP`] header.
pub fn replay_timestamp(value: &[u8]) -> Option<i64> {
    str::from_utf8(value).ok()?.parse().ok()
}

impl<'a> From<BorrowedMessage<'a>> for Record<'a> {
    fn from(message: BorrowedMessage<'a>) -> Self {
        Self(Source::Fetched(message))
    }
}

impl From<OwnedMessage> for Record<'_> {
    fn from(message: OwnedMessage) -> Self {
        Self(Source::Owned(message))
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;
    use crate::headers;

    const EVENT: Digest = [7; 32];

    fn record(offset: i64, time: i64, own: &[(&str, &str)]) -> Record<'static> {
        let own = headers::append(OwnedHeaders::new(), own.iter().copied());
        let time = Timestamp::CreateTime(time);
        Record::from(OwnedMessage::new(None, None, "orders".to_owned(), time, 3, offset, Some(own)))
    }

    fn digest(record: &Record<'_>) -> Digest {
        record.digest_under(&record.envelope().id, EVENT)
    }

    #[test]
    fn a_replayed_record_keeps_its_id_and_digest() {
        let first = record(42, 1_000, &[]);
        let replayed = record(50, 9_000, &[("ce_id", "orders-3-42"), ("replay.timestamp", "1000")]);
        assert_eq!(digest(&first), digest::at_place(EVENT, 1_000));
        assert_eq!((replayed.envelope().id, digest(&replayed)), (first.envelope().id, digest(&first)));
        assert!(first.is_synthetic_id(&first.envelope().id) && !replayed.is_synthetic_id(&replayed.envelope().id));
    }

    #[test]
    fn a_digest_under_the_producers_id_has_no_timestamp() {
        assert_eq!(digest(&record(42, 1_000, &[("ce_id", "a")])), EVENT);
        assert_eq!(digest(&record(42, 1_000, &[("ce_id", "orders-3-7")])), EVENT, "it only looks like a position");
    }

    #[test]
    fn the_event_time_comes_before_the_record_timestamp() {
        assert_eq!(record(42, 1_000, &[("ce_time", "1970-01-01T00:00:07Z")]).event_time(), 7_000);
        assert_eq!(record(42, 1_000, &[("ce_time", "yesterday")]).event_time(), 1_000);
        assert_eq!(record(42, 1_000, &[]).event_time(), 1_000);
    }
}
