//! `millrace.event.registered`: any JSON object.

use super::check::{key_text, object};
use super::{EventType, PartitionKey};
use crate::field::ValidationErrors;
use millrace_json::Document;

pub(super) const EVENT_TYPE: EventType =
    EventType { name: "millrace.event.registered", family: "", topic: "events", key_fields: &KEY_FIELDS, check };

/// The key fields; the first usable one is the partition key.
const KEY_FIELDS: [&str; 4] = ["key", "user_id", "id", "event_id"];

fn check<'a>(document: &Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors> {
    object(document)?;
    let key = KEY_FIELDS.iter().find_map(|name| document.get(name).and_then(key_text));
    Ok(key.map_or(PartitionKey::EventId, PartitionKey::from))
}
