//! Maps a record to a row of the table.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use millrace_domain::cloud_event::is_json;
use millrace_domain::{Digest, Envelope, UtcDateTime, digest};
use millrace_json::Document;
use millrace_kafka::Record;
use millrace_store::EventRow;
use serde_json::json;

/// A row, without topic and partition, which its batch has.
pub struct Row<'r> {
    envelope: Envelope<'static>,
    offset: i64,
    key: Option<Cow<'r, str>>,
    time: UtcDateTime,
    received_at: Timestamp,
    data: Cow<'r, str>,
    digest: Digest,
    is_synthetic_id: bool,
}

impl<'r> Row<'r> {
    /// Maps a record.
    ///
    /// # Errors
    /// The reason of its dead letter: the content type is JSON, and the value is not.
    pub(crate) fn read(record: &'r Record<'_>) -> Result<Self, String> {
        let envelope = record.envelope();
        let received_at = Timestamp::from_millisecond(record.timestamp().max(0)).unwrap_or_default();
        let value = record.value().unwrap_or_default();
        let (data, digest) = if is_json(&envelope.content_type) {
            let document = Document::parse(value).map_err(|error| format!("not JSON: {error}"))?;
            let digest = digest::of_json(&envelope.event_type, &envelope.time, &document);
            (Cow::Borrowed(document.root().raw()), digest)
        } else {
            (Cow::Owned(as_json(value)), digest::of_bytes(&envelope.event_type, value))
        };
        Ok(Self {
            offset: record.offset(),
            key: record.key().map(String::from_utf8_lossy),
            // The record's timestamp where `ce_time` is not a time.
            time: UtcDateTime::read(&envelope.time).unwrap_or_else(|| received_at.into()),
            received_at,
            data,
            digest: record.digest_under(&envelope.id, digest),
            is_synthetic_id: record.is_synthetic_id(&envelope.id),
            envelope,
        })
    }

    /// The row as the store's type.
    pub(crate) fn as_event_row(&self) -> EventRow<'_> {
        EventRow {
            id: self.envelope.id.as_str(),
            event_type: &self.envelope.event_type,
            source: &self.envelope.source,
            offset: self.offset,
            key: self.key.as_deref(),
            time: self.time,
            received_at: self.received_at,
            data: &self.data,
            digest: self.digest,
            is_synthetic_id: self.is_synthetic_id,
        }
    }
}

/// A value that is not JSON, in a JSON column: text as a string, bytes as base64 in an object. Text with a NUL counts as
/// bytes, since PostgreSQL cannot store NUL in text.
fn as_json(value: &[u8]) -> String {
    match str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => json!(text).to_string(),
        _ => json!({"base64": STANDARD.encode(value)}).to_string(),
    }
}
