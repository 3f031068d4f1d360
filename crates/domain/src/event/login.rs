//! `millrace.login.seen`: a user logged in.

use super::check::{object, optional_string, required_key};
use super::timestamp::Timestamp;
use super::{EventType, PartitionKey};
use crate::field::ValidationErrors;
use millrace_json::{Document, Kind};

pub(super) const EVENT_TYPE: EventType = EventType {
    name: "millrace.login.seen",
    family: "millrace.login.",
    topic: "user-login",
    key_fields: &["user_id"],
    check,
};

fn check<'a>(document: &Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors> {
    object(document)?;
    let mut errors = ValidationErrors::default();
    let user = required_key(document, "user_id", &mut errors);
    for name in ["device_type", "ip", "locale"] {
        optional_string(document, name, &mut errors);
    }
    if let Some(value) = document.get("timestamp")
        && value.kind() != Kind::Null
        && let Err(error) = Timestamp::read(value)
    {
        errors.push("/timestamp", error.to_string());
    }
    errors.or(user.map_or(PartitionKey::EventId, PartitionKey::from))
}
