//! `millrace.notification.requested`: a message for a user.

use std::borrow::Cow;

use super::check::{key_text, object, required_key, required_string};
use super::{EventType, PartitionKey};
use crate::field::FieldErrors;
use crate::json::{Document, Value};

pub(super) const EVENT_TYPE: EventType = EventType {
    name: "millrace.notification.requested",
    family: "millrace.notification.",
    topic: "notifications",
    check,
};

fn check(document: &Document<'_>) -> Result<PartitionKey, FieldErrors> {
    object(document)?;
    let mut errors = FieldErrors::default();
    let user = required_key(document, "user_id", &mut errors);
    required_string(document, "message", &mut errors);
    errors.or(user.map_or(PartitionKey::EventId, PartitionKey::from))
}

/// A notification as its consumer reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// Whom it is for.
    pub user_id: Cow<'a, str>,
    /// What to tell them.
    pub message: Cow<'a, str>,
}

impl<'a> Notification<'a> {
    /// Reads a notification off a record's value.
    ///
    /// # Errors
    /// The faults of a value that is not a notification.
    pub fn read(document: &Document<'a>) -> Result<Self, FieldErrors> {
        check(document)?;
        let user_id = document.get("user_id").and_then(key_text);
        let message = document.get("message").and_then(Value::as_str);
        let whole = || FieldErrors::one("", "is not a notification");
        Ok(Self { user_id: user_id.ok_or_else(whole)?, message: message.ok_or_else(whole)? })
    }
}
