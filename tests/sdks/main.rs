//! OpenTelemetry's SDKs of five languages send logs to `millrace dev`, and what arrives on the topic and in the lake is what
//! was meant, digit for digit.
//!
//! `tests/otlp/LANGUAGE/run URL OUT CACHE` sends by the language's own SDK, and writes what must arrive, made without this
//! workspace, to `OUT/NAME.expected.json`, where NAME is the scope of what it sent: records in their order, with the JSON
//! text of each value. `scripts/lake sdks` starts this: `MILLRACE_SDKS` names the languages, `MILLRACE_SDKS_CACHE` the folder of
//! what they need.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "../e2e/http.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests")]
mod http;
#[path = "../e2e/program.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests")]
mod program;
#[path = "../e2e/rows.rs"]
mod rows;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::process::Command;

use crate::program::Program;
use crate::rows::Row;

const EXIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Differences that are printed: one cause has thousands.
const SHOWN: usize = 40;

/// What one sender sent, with the JSON text of each value.
#[derive(Debug, Deserialize)]
struct Sent {
    service: String,
    /// The scope's.
    version: Option<String>,
    /// The resource's `telemetry.sdk.language`.
    language: String,
    records: Vec<Record>,
}

/// A record that was sent, or that arrived.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Record {
    time_ns: Option<String>,
    /// None where the SDK sets it.
    observed_ns: Option<String>,
    severity_number: Option<u8>,
    severity_text: Option<String>,
    body: Option<String>,
    attributes: BTreeMap<String, String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    event_name: Option<String>,
}

/// A record of the topic, as `millrace tail --json` prints it.
#[derive(Deserialize)]
struct Arrived {
    key: String,
    headers: Vec<(String, String)>,
    value: Log,
}

/// The value of a record of the topic.
#[derive(Deserialize)]
struct Log {
    time: Option<Timestamp>,
    observed_time: Timestamp,
    severity_number: Option<u8>,
    severity_text: Option<String>,
    body: Option<Box<RawValue>>,
    #[serde(default)]
    attributes: BTreeMap<String, Box<RawValue>>,
    trace_id: Option<String>,
    span_id: Option<String>,
    event_name: Option<String>,
    scope: BTreeMap<String, String>,
    resource: BTreeMap<String, Box<RawValue>>,
}

impl Log {
    /// As the sender wrote it down.
    fn record(&self) -> Record {
        let nanoseconds = |time: Timestamp| time.as_nanosecond().to_string();
        let attributes = self.attributes.iter().map(|(name, value)| (name.clone(), value.get().to_owned()));
        Record {
            time_ns: self.time.map(nanoseconds),
            observed_ns: Some(nanoseconds(self.observed_time)),
            severity_number: self.severity_number,
            severity_text: self.severity_text.clone(),
            body: self.body.as_ref().map(|body| body.get().to_owned()),
            attributes: attributes.collect(),
            trace_id: self.trace_id.clone(),
            span_id: self.span_id.clone(),
            event_name: self.event_name.clone(),
        }
    }
}

/// What a row has of a value: the text of a text, else its JSON; null stays null.
fn text_of(json: &str) -> Option<String> {
    if json.starts_with('"') {
        Some(serde_json::from_str(json).unwrap())
    } else {
        (json != "null").then(|| json.into())
    }
}

/// What of the record is otherwise on the topic.
fn on_the_topic(sent: &Sent, record: &Record, arrived: &Arrived) -> Vec<String> {
    let mut found = arrived.value.record();
    if record.observed_ns.is_none() {
        found.observed_ns = None;
    }
    let resource = |name| arrived.value.resource.get(name).map(|value| value.get().to_owned());
    let mut wrong = Vec::new();
    for (what, is, should_be) in [
        ("the key", Some(arrived.key.clone()), Some(sent.service.clone())),
        ("the version", arrived.value.scope.get("version").cloned(), sent.version.clone()),
        ("the language", resource("telemetry.sdk.language"), Some(sent.language.clone())),
        ("the service", resource("service.name").and_then(|name| text_of(&name)), Some(sent.service.clone())),
    ] {
        if is != should_be {
            wrong.push(format!("on the topic {what} is {is:?}, not {should_be:?}"));
        }
    }
    if found != *record {
        wrong.push(format!("on the topic it is\n  {found:?}, not\n  {record:?}"));
    }
    wrong
}

/// What of the record is otherwise in its row.
fn in_the_lake(name: &str, sent: &Sent, record: &Record, row: &Row) -> Vec<String> {
    let source = if record.time_ns.is_some() { "record" } else { "observed" };
    let mut expected = Row::from([
        ("service".to_owned(), Some(sent.service.clone())),
        ("format".to_owned(), Some("otlp".to_owned())),
        ("time_ns".to_owned(), record.time_ns.clone().or_else(|| record.observed_ns.clone())),
        ("time_source".to_owned(), Some(source.to_owned())),
        ("severity_number".to_owned(), record.severity_number.map(|number| number.to_string())),
        ("severity_text".to_owned(), record.severity_text.clone()),
        ("body".to_owned(), Some(record.body.as_deref().and_then(text_of).unwrap_or_default())),
        ("trace_id".to_owned(), record.trace_id.clone()),
        ("span_id".to_owned(), record.span_id.clone()),
        ("attributes.scope.name".to_owned(), Some(name.to_owned())),
        ("attributes.resource.telemetry.sdk.language".to_owned(), text_of(&sent.language)),
    ]);
    for (name, text) in [("event_name", &record.event_name), ("scope.version", &sent.version)] {
        expected.extend(text.clone().map(|text| (format!("attributes.{name}"), Some(text))));
    }
    for (name, json) in &record.attributes {
        // An exception has columns of its own.
        let is_exception = name.starts_with("exception.");
        let name = if is_exception { name.replace('.', "_") } else { format!("attributes.{name}") };
        expected.insert(name, text_of(json));
    }
    let differ = |(name, value): &(&String, &Option<String>)| row.get(*name) != Some(*value);
    let wrong = expected.iter().filter(differ);
    wrong.map(|(name, value)| format!("in the lake {name} is {:?}, not {value:?}", row.get(name))).collect()
}

/// Sends by the SDK of a language, and waits for its end.
async fn send(language: &str, url: &str, out: &Path, cache: &Path) {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("otlp").join(language).join("run");
    let status = Command::new(&run).arg(url).arg(out).arg(cache.join(language)).status().await;
    assert!(status.unwrap().success(), "{} failed", run.display());
}

/// What each sender says that it sent.
fn sent(out: &Path) -> BTreeMap<String, Sent> {
    let files = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".expected.json")?.to_owned();
        Some((name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap()))
    };
    files.filter_map(|path| read(&path)).collect()
}

/// Each record of a scope arrives once, in its order, and becomes one row.
#[tokio::test(flavor = "multi_thread")]
async fn what_sdks_send_arrives_digit_for_digit() {
    let languages = env::var("MILLRACE_SDKS").expect("MILLRACE_SDKS: scripts/lake sdks sets it");
    let cache = env::var("MILLRACE_SDKS_CACHE").expect("MILLRACE_SDKS_CACHE: scripts/lake sdks sets it");
    let (data_dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = data_dir.path().to_str().unwrap();
    let address = program::free_address();
    let mut millrace = Program::start("millrace", &["dev", "--listen", &address, "--data-dir", folder], &[]);
    http::serving(&mut millrace, &http::client(), &address).await;
    for language in languages.split_whitespace() {
        send(language, &format!("http://{address}/v1/logs"), out.path(), Path::new(&cache)).await;
    }

    let mut tail =
        Program::start("millrace", &["tail", "raw-logs", "--until-end", "--json", "--data-dir", folder], &[]);
    assert!(tail.ended(EXIT_TIMEOUT).await.success(), "{}", tail.stderr());
    let mut topic: BTreeMap<String, Vec<Arrived>> = BTreeMap::new();
    for line in tail.stdout() {
        let arrived: Arrived = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        topic.entry(arrived.value.scope["name"].clone()).or_default().push(arrived);
    }
    // All are rows before its exit.
    assert!(millrace.terminate(EXIT_TIMEOUT).await.success(), "{}", millrace.stderr());
    let lake = rows::rows(&data_dir.path().join("lake"));

    let sent = sent(out.path());
    assert_eq!(sent.keys().collect::<Vec<_>>(), topic.keys().collect::<Vec<_>>(), "the scopes of the records");
    let mut wrong = Vec::new();
    for (name, sent) in &sent {
        let arrived = &topic[name];
        println!("{name}: {} records sent, {} on the topic", sent.records.len(), arrived.len());
        if sent.records.len() != arrived.len() {
            wrong.push(format!("{name}: {} records were sent, {} arrived", sent.records.len(), arrived.len()));
        }
        for (index, (record, arrived)) in sent.records.iter().zip(arrived).enumerate() {
            let mut differences = on_the_topic(sent, record, arrived);
            let (_, id) = arrived.headers.iter().find(|(name, _)| name == "ce_id").unwrap();
            match lake.get(id).map(Vec::as_slice) {
                Some([row]) => differences.extend(in_the_lake(name, sent, record, row)),
                rows => differences.push(format!("it has {} rows", rows.map_or(0, <[Row]>::len))),
            }
            wrong.extend(differences.into_iter().map(|difference| format!("{name}, record {index}: {difference}")));
        }
    }
    let shown = wrong.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} differences, such as\n{shown}", wrong.len());
    assert_eq!(lake.len(), topic.values().map(Vec::len).sum::<usize>(), "rows of the lake");
    assert!(!sent.is_empty(), "nothing was sent");
}
