//! Event types: the shape and the topic of each.
//!
//! A new type needs a file here, a line in [`EVENT_TYPES`] and fixtures.

mod check;
mod log;
mod login;
mod notification;
mod order;
mod registered;
mod timestamp;

use std::borrow::Cow;

pub(crate) use check::key_text;
pub use log::UNKNOWN_SERVICE;
pub use notification::Notification;
pub use timestamp::{Timestamp, TimestampError};

use crate::field::{ValidationErrors, pointer_to};
use crate::id::EventId;
use crate::key::check_key;
use millrace_json::Document;

/// The type of all other events.
pub const REGISTERED: &EventType = &registered::EVENT_TYPE;
/// A requested notification.
pub const NOTIFICATION: &EventType = &notification::EVENT_TYPE;
/// A placed order.
pub const ORDER: &EventType = &order::EVENT_TYPE;
/// A login.
pub const LOGIN: &EventType = &login::EVENT_TYPE;
/// A log record.
pub const LOG: &EventType = &log::EVENT_TYPE;

/// Every event type that the edge accepts.
pub const EVENT_TYPES: &[&EventType] = &[NOTIFICATION, ORDER, LOGIN, LOG, REGISTERED];

/// An event type: its name, topic and shape.
#[derive(Debug)]
pub struct EventType {
    /// `ce_type` of events sent to the type's own route.
    pub name: &'static str,
    /// Prefix of the CloudEvents types that belong to it; empty for [`REGISTERED`], which has all others.
    pub family: &'static str,
    /// The topic.
    pub topic: &'static str,
    /// The key fields; the first usable one is the partition key.
    pub key_fields: &'static [&'static str],
    /// Validates a document; returns its partition key.
    pub check: for<'a> fn(&Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors>,
}

impl EventType {
    /// The event type of a CloudEvents `type`.
    pub fn of(name: &str) -> &'static Self {
        let named = EVENT_TYPES.iter().find(|kind| !kind.family.is_empty() && name.starts_with(kind.family));
        named.copied().unwrap_or(REGISTERED)
    }

    /// Validates a document by the edge's rules: its shape, and that its key has no invisible characters. Consumers check
    /// the shape alone, because other producers' records need not follow the edge's rule for keys.
    ///
    /// # Errors
    /// All errors, with pointers into the document.
    pub fn admit<'a>(&self, document: &Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors> {
        let (key, mut errors) = match (self.check)(document) {
            Ok(key) => (key, ValidationErrors::default()),
            Err(errors) => (PartitionKey::EventId, errors),
        };
        let key_field = self.key_fields.iter().find_map(|name| Some((name, document.get(name).and_then(key_text)?)));
        if let Some((name, text)) = key_field
            && let Err(error) = check_key(&text)
        {
            errors.push(pointer_to(name), error.to_string());
        }
        errors.or(key)
    }

    /// Whether the type has a shape of its own, so that its events must be JSON objects.
    pub fn is_shaped(&self) -> bool {
        !self.family.is_empty()
    }
}

/// The partition key: Kafka keeps the records of one key in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionKey<'a> {
    /// The entity that the event is about.
    Entity(Cow<'a, str>),
    /// The event's own id, where it names no entity.
    EventId,
}

impl<'a> PartitionKey<'a> {
    /// The key's text, for an event with this id.
    pub fn text(self, id: &EventId) -> Cow<'a, str> {
        match self {
            Self::Entity(text) => text,
            Self::EventId => Cow::Owned(id.as_str().to_owned()),
        }
    }

    /// The key, owned: independent of the document.
    pub fn into_owned(self) -> PartitionKey<'static> {
        match self {
            Self::Entity(text) => PartitionKey::Entity(Cow::Owned(text.into_owned())),
            Self::EventId => PartitionKey::EventId,
        }
    }
}

impl<'a> From<Cow<'a, str>> for PartitionKey<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Entity(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_determine_their_topic() {
        for (name, topic) in [
            ("millrace.notification.requested", "notifications"),
            ("millrace.notification.v2", "notifications"),
            ("millrace.order.placed", "orders"),
            ("millrace.login.seen", "user-login"),
            ("millrace.log.written", "raw-logs"),
            ("millrace.event.registered", "events"),
            ("millrace.payment.settled", "events"),
            ("millrace.notifications", "events"),
            ("com.example.order.placed", "events"),
        ] {
            assert_eq!(EventType::of(name).topic, topic, "{name}");
        }
    }

    #[test]
    fn every_type_belongs_to_its_own_family() {
        for kind in EVENT_TYPES {
            assert_eq!(EventType::of(kind.name).name, kind.name);
        }
    }
}
