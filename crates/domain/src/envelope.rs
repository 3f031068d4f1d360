//! The envelope of an event on Kafka: CloudEvents 1.0 in binary mode.
//!
//! The value is the client's own bytes; the attributes are headers by the Kafka protocol binding for CloudEvents 1.0.2,
//! section 3.2: `ce_<attribute>`, and `content-type` for `datacontenttype`.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::id::EventId;

/// `ce_specversion` of all events that Millrace writes.
pub const SPEC_VERSION: &str = "1.0";

/// The prefix of a CloudEvents attribute among a record's headers.
pub const ATTRIBUTE_PREFIX: &str = "ce_";

/// The header that a replay adds with the `ce_id` of a record that had none: the record's timestamp at the position in
/// the id, in milliseconds since the Unix epoch. It distinguishes records of one position where a topic was recreated.
pub const REPLAY_TIMESTAMP: &str = "replay.timestamp";

/// The `ce_time` of a record without one: its timestamp, which is in milliseconds since the Unix epoch.
pub fn time_of_record(timestamp: i64) -> String {
    jiff::Timestamp::from_millisecond(timestamp.max(0)).unwrap_or_default().to_string()
}

/// An event's CloudEvents attributes and trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `ce_id`: identifies the event in the whole system.
    pub id: EventId,
    /// `ce_type`: what happened.
    pub event_type: Cow<'a, str>,
    /// `ce_source`: the producer.
    pub source: Cow<'a, str>,
    /// `ce_time`: when, in RFC 3339.
    pub time: Cow<'a, str>,
    /// `content-type`: the media type of the value.
    pub content_type: Cow<'a, str>,
    /// `traceparent` (W3C Trace Context).
    pub traceparent: Option<String>,
    /// Optional and extension attributes, under their header names (`ce_subject`, `ce_<name>`).
    pub attributes: Vec<(String, String)>,
}

impl Envelope<'_> {
    /// The record headers of this envelope, in the order they are written.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let fixed = [
            ("ce_id", self.id.as_str()),
            ("ce_type", &*self.event_type),
            ("ce_source", &*self.source),
            ("ce_time", &*self.time),
            ("ce_specversion", SPEC_VERSION),
            ("content-type", &*self.content_type),
        ];
        let attributes = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        fixed
            .into_iter()
            .chain(self.traceparent.as_deref().map(|value| ("traceparent", value)))
            .chain(attributes)
            .map(|(name, value)| (name, value.as_bytes()))
    }

    /// Reads the envelope of a record. Attributes that the headers of other producers lack are filled in from
    /// `fallback`; a header that is not UTF-8 counts as missing, and of a repeated one the last counts.
    pub fn from_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
        fallback: impl FnOnce() -> Self,
    ) -> Self {
        Found::read(headers).or(fallback())
    }
}

/// The `ce_id` and the `ce_time` that [`Envelope::from_headers`] finds among headers; `None` where it falls back.
pub fn own_id_and_time<'h>(
    headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
) -> (Option<&'h str>, Option<&'h str>) {
    let Found { id, time, .. } = Found::read(headers);
    (id, time)
}

/// The attributes found in the headers.
#[derive(Default)]
struct Found<'a> {
    id: Option<&'a str>,
    event_type: Option<&'a str>,
    source: Option<&'a str>,
    time: Option<&'a str>,
    content_type: Option<&'a str>,
    traceparent: Option<&'a str>,
    attributes: Vec<(String, String)>,
}

impl<'a> Found<'a> {
    fn read(headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| str::from_utf8(value).ok()) {
                found.set(name, value);
            }
        }
        found
    }

    fn set(&mut self, name: &str, value: &'a str) {
        match name {
            "ce_id" if !value.is_empty() => self.id = Some(value),
            "ce_type" if !value.is_empty() => self.event_type = Some(value),
            "ce_source" if !value.is_empty() => self.source = Some(value),
            "ce_time" if !value.is_empty() => self.time = Some(value),
            "ce_id" | "ce_type" | "ce_source" | "ce_time" | "ce_specversion" => {}
            "content-type" => self.content_type = Some(value),
            "traceparent" => self.traceparent = Some(value),
            _ if name.starts_with(ATTRIBUTE_PREFIX) => self.attributes.push((name.to_owned(), value.to_owned())),
            _ => {}
        }
    }

    fn or(self, fallback: Envelope<'_>) -> Envelope<'_> {
        let text = |value: Option<&str>, fallback| value.map_or(fallback, |value| Cow::Owned(value.to_owned()));
        Envelope {
            id: self.id.map_or(fallback.id, EventId::new),
            event_type: text(self.event_type, fallback.event_type),
            source: text(self.source, fallback.source),
            time: text(self.time, fallback.time),
            content_type: text(self.content_type, fallback.content_type),
            traceparent: self.traceparent.map(str::to_owned).or(fallback.traceparent),
            attributes: if self.attributes.is_empty() { fallback.attributes } else { last_of_each(self.attributes) },
        }
    }
}

/// The last attribute of each name, in linear time: a record may have tens of thousands.
fn last_of_each(attributes: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut seen = HashSet::with_capacity(attributes.len());
    let keep: Vec<bool> = attributes.iter().rev().map(|(name, _)| seen.insert(name.as_str())).collect();
    attributes
        .into_iter()
        .zip(keep.into_iter().rev())
        .filter_map(|(attribute, keep)| keep.then_some(attribute))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fallback() -> Envelope<'static> {
        Envelope {
            id: EventId::from_position("events", 3, 42),
            event_type: "millrace.event.registered".into(),
            source: "/kafka/events".into(),
            time: "2026-01-31T12:00:00Z".into(),
            content_type: "application/json".into(),
            traceparent: None,
            attributes: Vec::new(),
        }
    }

    fn text() -> impl Strategy<Value = String> {
        "\\PC{1,40}"
    }

    prop_compose! {
        fn envelope()(
            id in text(), event_type in text(), source in text(), time in text(), content_type in text(),
            traceparent in prop::option::of(text()),
            attributes in prop::collection::btree_map("ce_[a-z0-9]{5,20}", text(), 0..4),
        ) -> Envelope<'static> {
            Envelope {
                id: EventId::new(id), event_type: event_type.into(), source: source.into(), time: time.into(),
                content_type: content_type.into(), traceparent, attributes: attributes.into_iter()
                    .filter(|(name, _)| name != "ce_source" && name != "ce_specversion").collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn an_envelope_round_trips_through_its_headers(envelope in envelope()) {
            let read = Envelope::from_headers(envelope.headers().map(|(name, value)| (name, Some(value))), fallback);
            prop_assert_eq!(read, envelope);
        }

        #[test]
        fn any_headers_give_an_envelope_with_an_id(
            headers in prop::collection::vec(
                (prop_oneof![Just("ce_id".to_owned()), Just("ce_type".to_owned()), "\\PC{0,12}"],
                 prop::option::of(prop::collection::vec(any::<u8>(), 0..20))), 0..10),
        ) {
            let read = Envelope::from_headers(headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())), fallback);
            prop_assert!(!read.id.as_str().is_empty() && !read.event_type.is_empty());
        }
    }

    #[test]
    fn the_last_of_repeated_attributes_counts() {
        let names: Vec<_> = (0..50_000).map(|index| format!("ce_x{index}")).collect();
        let once = names.iter().map(|name| (name.as_str(), Some(&b"1"[..])));
        let again = names.iter().take(2).map(|name| (name.as_str(), Some(&b"2"[..])));
        let read = Envelope::from_headers(once.chain(again), fallback);
        assert_eq!(read.attributes.len(), 50_000);
        let last: Vec<_> = read.attributes.iter().skip(49_997).map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(last, [("ce_x49999", "1"), ("ce_x0", "2"), ("ce_x1", "2")]);
    }

    #[test]
    fn a_record_without_headers_has_its_position_as_id() {
        let read = Envelope::from_headers([], fallback);
        assert_eq!(read.id.as_str(), "events-3-42");
        assert_eq!(read, fallback());
    }
}
