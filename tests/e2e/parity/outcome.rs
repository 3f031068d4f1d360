//! What a request came to, less what differs from one request to the next whoever answers it.

use std::collections::BTreeMap;

use millrace_domain::event::Timestamp;
use millrace_testkit::kafka::OwnedRecord;
use reqwest::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Records;
use super::case::{PARENT_ID, TRACE_ID};

/// Topic, partition and offset.
pub(super) type Place = (String, i32, i64);

/// The headers of an answer that are its connection's, or count the digits of an offset.
const OF_THE_CONNECTION: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

/// Numbers in an answer that grow with what was written before.
const GROWING: [&str; 4] = ["end_offset", "lag", "offset", "processed"];

/// An answer with its records, comparable with another edge's.
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
    /// Takes the records that the answer acknowledges out of `records`. Times from `since` on (in milliseconds since
    /// 1970) are of the edge's making.
    pub(super) fn of(name: &str, mut answer: Answer, records: &mut Records, since: i64) -> Self {
        let taken = acknowledged(&answer.body).into_iter().map(|place| {
            let record = records.remove(&place);
            Record::of(&record.unwrap_or_else(|| panic!("{name}: no record at {place:?}: {answer:#?}")), since)
        });
        let records = taken.collect();
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
        // To a HEAD the answer has none.
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("a JSON body") };
        Self { status, headers, body }
    }
}

/// Where the answer says that records are: it is about one event, or has a verdict for each of many.
fn acknowledged(body: &Value) -> Vec<Place> {
    let verdicts = body["results"].as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
    let places = verdicts.iter().filter_map(|verdict| {
        let partition = i32::try_from(verdict["partition"].as_i64()?).ok()?;
        Some((verdict["topic"].as_str()?.to_owned(), partition, verdict["offset"].as_i64()?))
    });
    places.collect()
}

/// Leaves of numbers that grow that they are numbers, and of ids that were given out that they are such.
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
        Value::String(text) if is_given_out(text) => "a UUIDv7".clone_into(text),
        _ => {}
    }
}

/// The edge's own ids are UUIDv7; no id in the table is.
fn is_given_out(id: &str) -> bool {
    id.parse::<Uuid>().is_ok_and(|id| id.get_version_num() == 7)
}

impl Record {
    fn of(record: &OwnedRecord, since: i64) -> Self {
        let headers = record.headers.iter().map(|(name, value)| {
            let value = value.as_deref().map(|value| match name.as_str() {
                "ce_id" if is_given_out(&escaped(value)) => "a UUIDv7".to_owned(),
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

/// The value without the time that the edge gives a form that has none.
fn less_now(value: &[u8], since: i64) -> String {
    let text = escaped(value);
    let json: Value = serde_json::from_slice(value).unwrap_or_default();
    match json["timestamp"].as_str() {
        Some(time) if is_of_now(time, since) => text.replace(time, "now"),
        _ => text,
    }
}

/// A `traceparent` with the caller's trace where it goes on, and always with a parent of the edge's making.
fn trace(traceparent: &str) -> String {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { panic!("no traceparent: {traceparent}") };
    assert_eq!([trace.len(), parent.len()], [32, 16], "{traceparent}");
    assert_ne!(parent, PARENT_ID, "the record's parent is the edge, not the caller");
    let trace = if trace == TRACE_ID { trace } else { "new" };
    format!("{version}-{trace}-{flags}")
}
