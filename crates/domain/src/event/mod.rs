//! Event types: what each one must look like, and the topic it goes to.
//!
//! To add one: its file here, its line in [`EVENT_TYPES`], its fixtures.

mod check;
mod log;
mod login;
mod notification;
mod order;
mod registered;
mod timestamp;

use std::borrow::Cow;

pub(crate) use check::key_text;
pub use notification::Notification;
pub use timestamp::{Timestamp, TimestampError};

use crate::field::{ValidationErrors, pointer_to};
use crate::id::EventId;
use crate::json::Document;
use crate::key::check_key;

/// The type that everything else belongs to.
pub const REGISTERED: &EventType = &registered::EVENT_TYPE;
/// A notification somebody asked for.
pub const NOTIFICATION: &EventType = &notification::EVENT_TYPE;
/// An order somebody placed.
pub const ORDER: &EventType = &order::EVENT_TYPE;
/// A login that was seen.
pub const LOGIN: &EventType = &login::EVENT_TYPE;
/// A log record that was written.
pub const LOG: &EventType = &log::EVENT_TYPE;

/// Every event type the edge takes in.
pub const EVENT_TYPES: &[&EventType] = &[NOTIFICATION, ORDER, LOGIN, LOG, REGISTERED];

/// A kind of event: its name, its topic and its shape.
#[derive(Debug)]
pub struct EventType {
    /// `ce_type` of those posted on the type's own route.
    pub name: &'static str,
    /// CloudEvents whose type begins with this are of this kind; empty for the kind that takes the rest.
    pub family: &'static str,
    /// The topic.
    pub topic: &'static str,
    /// The fields that may hold the partition key; the first usable one does.
    pub key_fields: &'static [&'static str],
    /// Checks a document and finds its partition key.
    pub check: for<'a> fn(&Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors>,
}

impl EventType {
    /// The kind a CloudEvents type belongs to.
    pub fn of(name: &str) -> &'static Self {
        let named = EVENT_TYPES.iter().find(|kind| !kind.family.is_empty() && name.starts_with(kind.family));
        named.copied().unwrap_or(REGISTERED)
    }

    /// Checks a document as the edge takes it in: its shape, and that its key can be seen by whoever reads it. Consumers
    /// check the shape alone, because records of other producers are welcome as they are.
    ///
    /// # Errors
    /// Every fault, at pointers into the document.
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

    /// Whether the kind has a shape of its own, so that an event of it must be a JSON object.
    pub fn is_shaped(&self) -> bool {
        !self.family.is_empty()
    }
}

/// What a record is keyed by: order holds among records of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionKey<'a> {
    /// The entity the event is about.
    Entity(Cow<'a, str>),
    /// The event is about nothing in particular: its own id.
    EventId,
}

impl<'a> PartitionKey<'a> {
    /// The key's text for an event of this id.
    pub fn text(self, id: &EventId) -> Cow<'a, str> {
        match self {
            Self::Entity(text) => text,
            Self::EventId => Cow::Owned(id.as_str().to_owned()),
        }
    }

    /// The key, apart from the document it was found in.
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
    fn types_choose_their_topic() {
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
