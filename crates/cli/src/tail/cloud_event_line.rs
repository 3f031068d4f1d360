//! Formats a record as one line with a CloudEvent in JSON (structured mode), as `POST /events` takes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_domain::envelope::own_id_and_time;
use millrace_json::{Document, write_string};
use millrace_kafka::Record;

use super::json_line::on_one_line;

/// How Kafka's headers name attributes.
const PREFIX: &str = "ce_";

/// The event and a newline; nothing for a tombstone. JSON is copied verbatim, other values are `data_base64`. The edge takes the
/// same key from an event again; that of a record which is no CloudEvent is the extension `partitionkey`, so that it is the key
/// again.
pub(super) fn of(record: &Record<'_>) -> Vec<u8> {
    let Some(value) = record.value() else { return Vec::new() };
    let envelope = record.envelope();
    let mut line = b"{\"specversion\":\"1.0\"".to_vec();
    let mut attribute = |name: &str, value: &str| {
        line.push(b',');
        write_string(&mut line, name);
        line.push(b':');
        write_string(&mut line, value);
    };
    attribute("id", envelope.id.as_str());
    attribute("source", &envelope.source);
    attribute("type", &envelope.event_type);
    attribute("time", &envelope.time);
    attribute("datacontenttype", &envelope.content_type);
    for (name, value) in &envelope.attributes {
        if let Some(name) = name.strip_prefix(PREFIX) {
            attribute(name, value);
        }
    }
    if let (Some(key), (None, _)) = (record.key(), own_id_and_time(record.headers())) {
        attribute("partitionkey", &String::from_utf8_lossy(key));
    }
    if let Ok(document) = Document::parse(value) {
        line.extend_from_slice(b",\"data\":");
        line.extend_from_slice(on_one_line(document.root().raw()).as_bytes());
    } else {
        line.extend_from_slice(b",\"data_base64\":");
        write_string(&mut line, &STANDARD.encode(value));
    }
    line.extend_from_slice(b"}\n");
    line
}
