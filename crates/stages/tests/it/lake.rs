//! A lake in a folder, its stages, and the embedded broker.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millrace_broker::embedded::Embedded;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer};
use millrace_objects::{Location, Objects};
use millrace_stages::{Bus, BusError, BusEvent, CleanStage, MetricsStage};
use millrace_testkit::eventually;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::{ClientConfig, Message as _};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const RAW: &str = "raw/2026/01/31/12/raw-logs-0-00000000000000000000-1769860800000.jsonl.gz";

pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Keeps what stages say, or refuses the next so many events.
#[derive(Default)]
pub(crate) struct Said(pub(crate) Mutex<Vec<(String, Value)>>, pub(crate) AtomicUsize);

impl Bus for Said {
    fn publish<'b>(&'b self, event: &'b BusEvent) -> BoxFuture<'b, Result<(), BusError>> {
        let refuse = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if refuse.is_ok() {
            return std::future::ready(Err(BusError("refused".to_owned()))).boxed();
        }
        let detail = serde_json::to_value(event).unwrap();
        self.0.lock().unwrap().push((event.detail_type().to_owned(), detail));
        std::future::ready(Ok(())).boxed()
    }
}

pub(crate) struct Lake {
    pub(crate) folder: TempDir,
    pub(crate) broker: Embedded,
    pub(crate) said: Arc<Said>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) clean: CleanStage,
    pub(crate) metrics: MetricsStage,
}

impl Lake {
    pub(crate) fn new() -> Self {
        let broker = Embedded::start(&[("cleaned-logs", 3), ("metrics", 3)]).unwrap();
        let servers = broker.bootstrap_servers().to_owned();
        Self::on(tempfile::tempdir().unwrap(), broker, &servers)
    }

    /// A lake whose broker cannot be reached.
    pub(crate) fn without_kafka() -> Self {
        let broker = Embedded::start(&[("cleaned-logs", 3), ("metrics", 3)]).unwrap();
        Self::on(tempfile::tempdir().unwrap(), broker, "127.0.0.1:1")
    }

    /// The same lake, whose broker can be reached.
    pub(crate) fn with_kafka(self) -> Self {
        let servers = self.broker.bootstrap_servers().to_owned();
        Self::on(self.folder, self.broker, &servers)
    }

    fn on(folder: TempDir, broker: Embedded, bootstrap_servers: &str) -> Self {
        let objects = Arc::new(Objects::open(&Location::Folder(folder.path().to_owned())).unwrap());
        let settings = ProducerSettings { delivery_timeout: Duration::from_secs(2), ..ProducerSettings::default() };
        let producer = Producer::new(&KafkaSettings::plaintext(bootstrap_servers), &settings).unwrap();
        let said = Arc::new(Said::default());
        let clean = CleanStage::new(objects.clone(), producer.clone(), said.clone());
        let metrics = MetricsStage::new(objects.clone(), producer, said.clone());
        Self { folder, broker, said, objects, clean, metrics }
    }

    pub(crate) fn write(&self, object: &str, content: &[u8]) {
        let path = self.folder.path().join(object);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The files of the lake that stages made, and their bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in ["cleaned", "metrics", "quarantine", "stages"] {
            collect(self.folder.path(), &self.folder.path().join(folder), &mut files);
        }
        files
    }

    pub(crate) fn cleaned(&self) -> Vec<String> {
        self.files().into_keys().filter(|path| path.starts_with("cleaned/")).collect()
    }

    /// The records of `cleaned-logs`, by their ids: their values.
    pub(crate) async fn records(&self, count: usize) -> BTreeMap<String, Vec<Value>> {
        let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (id, value) in self.records_of("cleaned-logs", count).await {
            assert_eq!(value["id"], id.as_str());
            records.entry(id).or_default().push(value);
        }
        records
    }

    /// The ids and values of the records of a topic, by partition in their order.
    pub(crate) async fn records_of(&self, topic: &str, count: usize) -> Vec<(String, Value)> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.broker.bootstrap_servers());
        client.set("group.id", "test").set("auto.offset.reset", "earliest");
        let reader: BaseConsumer = client.create().unwrap();
        let mut all = rdkafka::TopicPartitionList::new();
        for partition in 0..3 {
            all.add_partition_offset(topic, partition, rdkafka::Offset::Beginning).unwrap();
        }
        reader.assign(&all).unwrap();
        let mut records: Vec<(i32, String, Value)> = Vec::new();
        eventually(BOUND, &format!("{count} records are there"), async || {
            while let Some(record) = reader.poll(Duration::ZERO) {
                let record = record.unwrap();
                let headers = record.headers().unwrap();
                let id = headers.iter().find(|header| header.key == "ce_id").unwrap().value.unwrap();
                let value: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
                assert_eq!(record.key(), value["service"].as_str().map(str::as_bytes));
                records.push((record.partition(), String::from_utf8(id.to_vec()).unwrap(), value));
            }
            (records.len() >= count).then_some(())
        })
        .await;
        records.sort_by_key(|(partition, ..)| *partition);
        records.into_iter().map(|(_, id, value)| (id, value)).collect()
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

pub(crate) fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// Lines as log-shipper writes them: number, service and hour of each record.
pub(crate) fn lines(records: &[(usize, &str, usize)]) -> String {
    let line = |&(number, service, hour): &(usize, &str, usize)| {
        format!(
            "{{\"millrace\":{{\"id\":\"log-{number}\",\"service\":\"{service}\",\"at\":\"2026-01-31T12:00:00.000Z\"}},\
             \"record\":{{\"level\":\"info\",\"time\":\"2026-01-31T{hour:02}:00:00Z\",\"msg\":\"line {number}\"}}}}\n"
        )
    };
    records.iter().map(line).collect()
}
