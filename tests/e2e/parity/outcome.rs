//! The outcome of a request, without what differs from one request to the next on any edge.

use std::collections::BTreeMap;

use millrace_domain::event::Timestamp;
use millrace_testkit::kafka::OwnedRecord;
use reqwest::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Records;
use super::case::{PARENT_ID, TRACE_ID};

/// Topic, partition and offset.
pub(super) type Position = (String, i32, i64);

/// Response headers of the connection, or that depend on the number of digits of an offset.
const OF_THE_CONNECTION: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

/// Numbers in a response that grow with the records written before.
const GROWING: [&str; 4] = ["end_offset", "lag", "offset", "processed"];

/// A response with its records, comparable with another edge's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    answer: Answer,
    records: Vec<Record>,
}

/// An HTTP response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// A record without its offset. Bytes are shown as escaped ASCII, which is the same for the same bytes only.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    topic: String,
    partition: i32,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

impl Outcome {
    /// Removes the acknowledged records from `records`. Times from `since` on (in Unix milliseconds) are the edge's own.
    pub(super) fn of(name: &str, mut answer: Answer, records: &mut Records, since: i64) -> Self {
        let written = acknowledged(&answer.body, records).into_iter().map(|position| {
            let record = records.remove(&position);
            Record::of(&record.unwrap_or_else(|| panic!("{name}: no record at {position:?}: {answer:#?}")), since)
        });
        let records = written.collect();
        generalise(&mut answer.body);
        Self { answer, records }
    }
}

impl Answer {
    pub(super) async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()));
        let headers = headers.map(|(name, value)| {
            let text = value.to_str().expect("an ASCII header");
            let is_request_id = name == "x-request-id" && text.parse::<Uuid>().is_ok();
            (name.to_string(), if is_request_id { "a UUID" } else { text }.to_owned())
        });
        let headers = headers.collect();
        let body = response.bytes().await.expect("a whole body");
        // A response to HEAD has no body.
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("a JSON body") };
        Self { status, headers, body }
    }
}

/// The positions of the acknowledged records: of one event, or of each event of a batch. An answer to log lines has their
/// number alone: it is the last one, and they are what is left.
fn acknowledged(body: &Value, left: &Records) -> Vec<Position> {
    if let (Some(accepted), Some(_)) = (body["accepted"].as_u64(), body["errors"].as_array()) {
        let positions: Vec<_> = left.keys().cloned().collect();
        assert_eq!(positions.len() as u64, accepted, "{positions:?}");
        return positions;
    }
    let results = body["results"].as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
    let positions = results.iter().filter_map(|result| {
        let partition = i32::try_from(result["partition"].as_i64()?).ok()?;
        Some((result["topic"].as_str()?.to_owned(), partition, result["offset"].as_i64()?))
    });
    positions.collect()
}

/// Replaces growing numbers and generated ids with placeholders.
fn generalise(body: &mut Value) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                if GROWING.contains(&name.as_str()) && value.is_u64() {
                    *value = json!("a number");
                }
                generalise(value);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(generalise),
        Value::String(text) if is_generated(text) => "a UUIDv7".clone_into(text),
        _ => {}
    }
}

/// Whether the edge generated the id: its ids are UUIDv7, and none of the table is.
fn is_generated(id: &str) -> bool {
    id.parse::<Uuid>().is_ok_and(|id| id.get_version_num() == 7)
}

impl Record {
    fn of(record: &OwnedRecord, since: i64) -> Self {
        let headers = record.headers.iter().map(|(name, value)| {
            let value = value.as_deref().map(|value| match name.as_str() {
                "ce_id" if is_generated(&escaped(value)) => "a UUIDv7".to_owned(),
                "ce_time" if is_of_now(&escaped(value), since) => "now".to_owned(),
                "traceparent" => trace(&escaped(value)),
                _ => escaped(value),
            });
            (name.clone(), value)
        });
        Self {
            topic: record.topic.clone(),
            partition: record.partition,
            key: record.key.as_deref().map(escaped),
            value: record.value.as_deref().map(|value| less_now(value, since)),
            headers: headers.collect(),
        }
    }
}

fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn is_of_now(time: &str, since: i64) -> bool {
    Timestamp::from_text(time).is_ok_and(|time| time.as_millis() >= since)
}

/// The value without the `timestamp` that the edge adds to a form.
fn less_now(value: &[u8], since: i64) -> String {
    let text = escaped(value);
    let json: Value = serde_json::from_slice(value).unwrap_or_default();
    match json["timestamp"].as_str() {
        Some(time) if is_of_now(time, since) => text.replace(time, "now"),
        _ => text,
    }
}

/// A `traceparent` with the caller's trace id, if any, and without the edge's own parent id.
fn trace(traceparent: &str) -> String {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { panic!("no traceparent: {traceparent}") };
    assert_eq!([trace.len(), parent.len()], [32, 16], "{traceparent}");
    assert_ne!(parent, PARENT_ID, "the record's parent is the edge, not the caller");
    let trace = if trace == TRACE_ID { trace } else { "new" };
    format!("{version}-{trace}-{flags}")
}
