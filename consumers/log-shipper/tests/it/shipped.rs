//! Log records, and what was shipped of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use millrace_broker::embedded::Embedded;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord, headers};
use rdkafka::message::OwnedHeaders;
use serde_json::Value;

pub(crate) const TOPIC: &str = "raw-logs";
pub(crate) const DLQ: &str = "raw-logs.dlq";

/// An embedded broker with the topics of logs.
pub(crate) fn broker(partitions: i32) -> Embedded {
    Embedded::start(&[(TOPIC, partitions), (DLQ, 1)]).unwrap()
}

/// Produces these values, with the ids `0`, `1`, ….
pub(crate) async fn produce<V: AsRef<[u8]>>(broker: &Embedded, values: impl IntoIterator<Item = V>) {
    let kafka = KafkaSettings::plaintext(broker.bootstrap_servers());
    let producer = Producer::new(&kafka, &ProducerSettings::default()).unwrap();
    for (number, value) in values.into_iter().enumerate() {
        let headers = headers::append(OwnedHeaders::new(), [("ce_id", number.to_string())]);
        let (key, value) = (Some(&b"shop"[..]), Some(value.as_ref()));
        producer.send(ProducerRecord { topic: TOPIC, partition: None, key, value, headers }).await.unwrap();
    }
}

/// The objects in a folder, by their paths below it: their lines.
pub(crate) fn objects(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut objects = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if !is_unfinished(&entry.path()) {
                let path = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                objects.insert(path, lines(&text(&entry.path())));
            }
        }
    }
    objects
}

/// A file that a killed process was writing: `object_store` names it `NAME#NUMBER`.
fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains('#'))
}

fn text(path: &PathBuf) -> String {
    let mut text = String::new();
    let file = fs::File::open(path).unwrap();
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("gz") => flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap(),
        _ => zstd::stream::read::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap(),
    };
    text
}

/// Lines of JSON.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'), "the last line ends");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The ids of lines.
pub(crate) fn ids<'l>(lines: impl IntoIterator<Item = &'l Value>) -> Vec<String> {
    lines.into_iter().map(|line| line["millrace"]["id"].as_str().unwrap().to_owned()).collect()
}
