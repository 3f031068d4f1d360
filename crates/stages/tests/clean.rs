//! The stage `clean` on a folder and the embedded broker.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millrace_broker::embedded::Embedded;
use millrace_domain::ErrorClass;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer};
use millrace_objects::{Location, Objects};
use millrace_stages::{Bus, BusError, CleanStage, StageEvent};
use millrace_testkit::eventually;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::{ClientConfig, Message as _};
use serde_json::{Value, json};
use tempfile::TempDir;

const RAW: &str = "raw/2026/01/31/12/raw-logs-0-00000000000000000000-1769860800000.jsonl.gz";

const BOUND: Duration = Duration::from_secs(30);

/// Keeps what stages say.
#[derive(Default)]
struct Said(Mutex<Vec<(String, Value)>>);

impl Bus for Said {
    fn publish<'b>(&'b self, event: &'b StageEvent) -> BoxFuture<'b, Result<(), BusError>> {
        let detail = serde_json::to_value(event).unwrap();
        self.0.lock().unwrap().push((event.detail_type().to_owned(), detail));
        std::future::ready(Ok(())).boxed()
    }
}

struct Lake {
    folder: TempDir,
    broker: Embedded,
    said: Arc<Said>,
    stage: CleanStage,
}

impl Lake {
    fn new() -> Self {
        let broker = Embedded::start(&[("cleaned-logs", 3)]).unwrap();
        let servers = broker.bootstrap_servers().to_owned();
        Self::on(broker, &servers)
    }

    fn on(broker: Embedded, bootstrap_servers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(&Location::Folder(folder.path().to_owned())).unwrap();
        let settings = ProducerSettings { delivery_timeout: Duration::from_secs(2), ..ProducerSettings::default() };
        let producer = Producer::new(&KafkaSettings::plaintext(bootstrap_servers), &settings).unwrap();
        let said = Arc::new(Said::default());
        let stage = CleanStage::new(Arc::new(objects), producer, Some(said.clone()));
        Self { folder, broker, said, stage }
    }

    fn write(&self, object: &str, content: &[u8]) {
        let path = self.folder.path().join(object);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The files of the lake that stages made, and their bytes.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in ["cleaned", "quarantine", "stages"] {
            collect(self.folder.path(), &self.folder.path().join(folder), &mut files);
        }
        files
    }

    fn cleaned(&self) -> Vec<String> {
        self.files().into_keys().filter(|path| path.starts_with("cleaned/")).collect()
    }

    /// The records of `cleaned-logs`, by their ids: their values.
    async fn records(&self, count: usize) -> BTreeMap<String, Vec<Value>> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.broker.bootstrap_servers());
        client.set("group.id", "test").set("auto.offset.reset", "earliest");
        let reader: BaseConsumer = client.create().unwrap();
        let mut all = rdkafka::TopicPartitionList::new();
        for partition in 0..3 {
            all.add_partition_offset("cleaned-logs", partition, rdkafka::Offset::Beginning).unwrap();
        }
        reader.assign(&all).unwrap();
        let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        eventually(BOUND, &format!("{count} records are there"), async || {
            while let Some(record) = reader.poll(Duration::ZERO) {
                let record = record.unwrap();
                let headers = record.headers().unwrap();
                let id = headers.iter().find(|header| header.key == "ce_id").unwrap().value.unwrap();
                let value: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
                assert_eq!(value["id"].as_str().unwrap().as_bytes(), id);
                assert_eq!(record.key(), value["service"].as_str().map(str::as_bytes));
                records.entry(String::from_utf8(id.to_vec()).unwrap()).or_default().push(value);
            }
            (records.values().map(Vec::len).sum::<usize>() >= count).then_some(())
        })
        .await;
        records
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        if entry.path().is_dir() {
            collect(root, &entry.path(), files);
        } else {
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(path, fs::read(entry.path()).unwrap());
        }
    }
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// Lines as log-shipper writes them: number, service and hour of each record.
fn lines(records: &[(usize, &str, usize)]) -> String {
    let line = |&(number, service, hour): &(usize, &str, usize)| {
        format!(
            "{{\"millrace\":{{\"id\":\"log-{number}\",\"service\":\"{service}\",\"at\":\"2026-01-31T12:00:00.000Z\"}},\
             \"record\":{{\"level\":\"info\",\"time\":\"2026-01-31T{hour:02}:00:00Z\",\"msg\":\"line {number}\"}}}}\n"
        )
    };
    records.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_becomes_files_records_and_an_event() {
    let lake = Lake::new();
    let text = lines(&[(1, "shop", 9), (2, "pay", 10), (3, "shop", 9), (2, "pay", 10)]);
    lake.write(RAW, &gzip([text.as_bytes(), &[0x81; 40], b"\n"].concat()));
    let cleaned = lake.stage.run(RAW, 1).await.unwrap();
    let report = &cleaned.manifest.report;
    assert!(report.closes());
    assert_eq!((report.rows, report.duplicates, report.quarantined), (3, 1, 1));
    let files: Vec<_> = lake.files().into_keys().collect();
    let [ten, nine, quarantine, manifest] = &files[..] else { panic!("{files:?}") };
    assert!(ten.starts_with("cleaned/dt=2026-01-31/hour=10/") && nine.starts_with("cleaned/dt=2026-01-31/hour=9/"));
    assert!(quarantine.starts_with("quarantine/") && manifest.starts_with("stages/clean/"));

    let records = lake.records(3).await;
    assert_eq!(records.keys().collect::<Vec<_>>(), ["log-1", "log-2", "log-3"]);
    assert_eq!(records["log-2"][0]["body"], "line 2");
    assert_eq!(records["log-2"][0]["time"], "2026-01-31T10:00:00Z");
    let said = lake.said.0.lock().unwrap();
    let expected = json!({"stage": "clean", "object": RAW, "attempt": 1, "manifest": manifest, "rows": 3});
    assert_eq!(*said, [("Stage Completed".to_owned(), expected)]);
}

/// Each event three times, in another order: the same objects, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_again_in_any_order_change_nothing() {
    let lake = Lake::new();
    let object = |number: usize| RAW.replace("-0-0000", &format!("-{number}-0000"));
    for number in 0..4 {
        let records: Vec<_> = (0..200).map(|line| (number * 1_000 + line, "shop", 8 + line % 3)).collect();
        lake.write(&object(number), &gzip(lines(&records)));
    }
    for number in 0..4 {
        lake.stage.run(&object(number), 1).await.unwrap();
    }
    let before = lake.files();
    assert_eq!(before.len(), 4 * 3 + 4);
    let again = [3, 1, 2, 0, 0, 3, 2, 1].map(async |number| lake.stage.run(&object(number), 1).await);
    for cleaned in futures_util::future::join_all(again).await {
        assert!(cleaned.unwrap().was_done);
    }
    assert!(lake.files() == before);
    // Without the manifests, as after a kill before they were written.
    fs::remove_dir_all(lake.folder.path().join("stages")).unwrap();
    for number in [2, 0, 3, 1] {
        assert!(!lake.stage.run(&object(number), 2).await.unwrap().was_done);
    }
    assert!(lake.files() == before);
}

/// log-shipper replaces an object after a crash, with fewer records or more.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_earlier_content_go() {
    let lake = Lake::new();
    lake.write(RAW, &gzip(lines(&[(1, "shop", 9), (2, "shop", 10)])));
    lake.stage.run(RAW, 1).await.unwrap();
    assert_eq!(lake.cleaned().len(), 2);
    lake.write(RAW, &gzip(lines(&[(1, "shop", 9)])));
    let cleaned = lake.stage.run(RAW, 1).await.unwrap();
    assert!(!cleaned.was_done);
    assert_eq!(cleaned.manifest.report.rows, 1);
    let left = lake.cleaned();
    assert!(left.len() == 1 && left[0].contains("/hour=9/"), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_fails_for_good() {
    let lake = Lake::new();
    let error = lake.stage.run(RAW, 3).await.unwrap_err();
    assert_eq!((error.state(), error.class()), ("S3MissingFile", ErrorClass::Permanent));
    let said = lake.said.0.lock().unwrap();
    let reason = format!("there is no object {RAW}");
    let expected = json!({
        "stage": "clean", "object": RAW, "attempt": 3, "state": "S3MissingFile", "class": "permanent", "reason": reason,
    });
    assert_eq!(*said, [("Stage Failed".to_owned(), expected)]);
}

/// Without acknowledgements nothing is visible; once Kafka is there, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_acknowledged_are_not_in_the_lake() {
    let broker = Embedded::start(&[("cleaned-logs", 3)]).unwrap();
    let mut lake = Lake::on(broker, "127.0.0.1:1");
    lake.write(RAW, &gzip(lines(&[(1, "shop", 9), (2, "shop", 10)])));
    let error = lake.stage.run(RAW, 1).await.unwrap_err();
    assert_eq!((error.state(), error.class()), ("KafkaUnavailable", ErrorClass::Transient));
    assert_eq!(lake.files().len(), 0, "{:?}", lake.files().keys());

    let servers = lake.broker.bootstrap_servers().to_owned();
    let objects = Objects::open(&Location::Folder(lake.folder.path().to_owned())).unwrap();
    let producer = Producer::new(&KafkaSettings::plaintext(servers), &ProducerSettings::default()).unwrap();
    lake.stage = CleanStage::new(Arc::new(objects), producer, Some(lake.said.clone()));
    assert_eq!(lake.stage.run(RAW, 2).await.unwrap().manifest.report.rows, 2);
    assert_eq!(lake.records(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_object_keeps_the_lines_before() {
    let lake = Lake::new();
    let records: Vec<_> = (0..5_000).map(|number| (number, "shop", 9)).collect();
    let whole = gzip(lines(&records));
    lake.write(RAW, &whole[..whole.len() * 2 / 3]);
    let cleaned = lake.stage.run(RAW, 1).await.unwrap();
    let rows = cleaned.manifest.report.rows;
    assert!(cleaned.manifest.damage.is_some() && (1_000..5_000).contains(&rows), "{:?}", cleaned.manifest);
    assert_eq!(lake.records(usize::try_from(rows).unwrap()).await.len(), usize::try_from(rows).unwrap());
}

/// An empty object, and a row that the topic does not take as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_too_large_for_the_topic_is_shortened_there() {
    let lake = Lake::new();
    lake.write(RAW, b"");
    assert_eq!(lake.stage.run(RAW, 1).await.unwrap().manifest.report.rows, 0);
    assert_eq!(lake.cleaned().len(), 0);
    let trace = "\\n\\tat é".repeat(110_000);
    let line =
        format!("{{\"level\":\"error\",\"msg\":\"no{trace}\",\"order\":\"7\",\"more\":\"{}\"}}\n", "y".repeat(20_000));
    lake.write(RAW, &gzip(&line));
    lake.stage.run(RAW, 1).await.unwrap();
    let records = lake.records(1).await;
    let row = &records.values().next().unwrap()[0];
    assert_eq!(row["attributes"], json!({"order": "7", "truncated": "true"}));
    let body = row["body"].as_str().unwrap();
    assert!(body.starts_with("no\n\tat é") && (10_000..20_000).contains(&body.len()), "{}", body.len());
    assert_eq!(row["severity_text"], "error");
}
