//! `millrace.log.written`: one log record.

use super::check::{key_text, object};
use super::{EventType, PartitionKey};
use crate::field::ValidationErrors;
use millrace_json::Document;

pub(super) const EVENT_TYPE: EventType = EventType {
    name: "millrace.log.written",
    family: "millrace.log.",
    topic: "raw-logs",
    key_fields: &["service"],
    check,
};

/// The service of log records that name none: their key.
pub const UNKNOWN_SERVICE: &str = "unknown";

fn check<'a>(document: &Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors> {
    object(document)?;
    let service = document.get("service").and_then(key_text);
    Ok(service.map_or_else(|| PartitionKey::Entity(UNKNOWN_SERVICE.into()), PartitionKey::from))
}
