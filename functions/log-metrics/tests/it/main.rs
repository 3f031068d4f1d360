//! The function `log-metrics`, unmodified, with a bucket, a bus and the embedded broker.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use millrace_broker::embedded::Embedded;
use millrace_lake::metrics::{HourFile, Window};
use millrace_lake::{Folder, LakeWriter, Source, clean};
use millrace_testkit::Bucket;
use millrace_testkit::lambda::{Failure, Function, Lambda, event};
use serde_json::{Value, json};

const HOUR: &str = "cleaned/dt=2026-01-31/hour=12";

const METRICS: &str = "metrics/dt=2026-01-31/hour=12/metrics.parquet";

struct Deployed {
    bucket: Bucket,
    lambda: Lambda,
    _broker: Embedded,
}

impl Deployed {
    async fn new() -> Self {
        let broker = Embedded::start(&[("metrics", 3)]).unwrap();
        let bucket = Bucket::start("lake").await;
        let function = Function::new(env!("CARGO_BIN_EXE_millrace-log-metrics")).never_frozen();
        let function = function.variable("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers());
        let lambda = function.variable("MILLRACE_LAKE", "s3://lake").variables(bucket.variables()).deploy();
        Self { bucket, lambda, _broker: broker }
    }

    async fn answer(&self, event: &Value) -> Value {
        serde_json::from_slice(&self.lambda.invoke(event).await.unwrap()).unwrap()
    }

    /// Rows of so many lines of a service at noon, as an object.
    fn put_rows(&self, name: &str, lines: usize) -> String {
        let line = |line| format!("{{\"time\":\"2026-01-31T12:07:00Z\",\"service\":\"pay\",\"msg\":\"{line}\"}}\n");
        let text: String = (0..lines).map(line).collect();
        let source = Source {
            name: format!("raw/{name}"),
            identity: name.to_owned(),
            service: String::new(),
            observed: 0,
            offset: 0,
        };
        let folder = tempfile::tempdir().unwrap();
        let mut files = Folder::new(folder.path());
        let mut writer = LakeWriter::new(&mut files, &source);
        clean(text.as_bytes(), &source, &mut writer).unwrap();
        let [file] = &writer.finish().unwrap()[..] else { panic!("one file") };
        self.bucket.put(file, std::fs::read(folder.path().join(file)).unwrap());
        file.clone()
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let file = HourFile::from_bytes(self.bucket.objects()[METRICS].clone()).unwrap();
        file.windows.0.into_iter().map(|((_, service), window)| (service, window.count)).collect()
    }
}

fn created(key: &str) -> Value {
    event::object_created("lake", key)
}

fn message(key: &str, attempt: u32) -> Value {
    event::messages([("m", created(key))], attempt)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hours_rows_are_counted_once_whatever_the_events() {
    let deployed = Deployed::new().await;
    let first = deployed.put_rows("a", 5);
    assert!(first.starts_with(HOUR));
    assert_eq!(deployed.answer(&message(&first, 1)).await, json!({"batchItemFailures": []}));
    let second = deployed.put_rows("b", 7);
    // S3 is away: the message comes again, and nothing is half written.
    deployed.bucket.fail(Some(METRICS));
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "m"}]});
    assert_eq!(deployed.answer(&message(&second, 1)).await, failed);
    deployed.bucket.fail(None);
    for (file, attempt) in [(&second, 2), (&first, 1), (&second, 1), (&first, 2)] {
        assert_eq!(deployed.answer(&message(file, attempt)).await, json!({"batchItemFailures": []}));
    }
    assert_eq!(deployed.counts(), BTreeMap::from([("pay".to_owned(), 12)]));
    let said = |event: &Value| serde_json::from_str::<Value>(event["Detail"].as_str().unwrap()).unwrap();
    let events: Vec<_> = deployed.bucket.events().iter().map(said).collect();
    assert_eq!(events[0], json!({"stage": "metrics", "object": first, "attempt": 1, "manifest": METRICS, "rows": 1}));
    assert_eq!(events[1]["state"], "S3Unavailable");

    let metrics = deployed.answer(&created(&first)).await;
    assert_eq!(metrics, json!({"metrics": METRICS, "windows": 1, "files": 0}));
    match deployed.lambda.invoke(&created("cleaned/a.parquet")).await {
        Err(Failure::Reported(error)) => assert_eq!(error["errorType"], "ObjectName"),
        other => panic!("{other:?}"),
    }
}

/// The schedule's event comes every minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_tells_what_is_unusual_once() {
    let deployed = Deployed::new().await;
    let now = Timestamp::now().as_second() / 60 * 60;
    let mut hours: BTreeMap<String, HourFile> = BTreeMap::new();
    for minute in 0..90 {
        let start = now - minute * 60;
        // Ten minutes ago, for three minutes.
        let errors = if (10..13).contains(&minute) { 80 } else { 1 };
        let window = Window { count: 100, errors, ..Window::default() };
        let time = Timestamp::from_second(start).unwrap();
        let path = time.strftime("metrics/dt=%Y-%m-%d/hour=%-H/metrics.parquet").to_string();
        hours.entry(path).or_default().windows.0.insert((start, "pay".to_owned()), window);
    }
    for (path, file) in &hours {
        deployed.bucket.put(path, file.to_bytes().unwrap());
    }
    let scheduled = json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1",
        "time": (Timestamp::now() - SignedDuration::from_secs(1)).to_string(), "region": "eu-central-1", "resources": ["r"], "detail": {},
    });
    assert_eq!(deployed.answer(&scheduled).await, json!({"told": 1}));
    assert_eq!(deployed.answer(&scheduled).await, json!({"told": 0}));
    let events = deployed.bucket.events();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&event["Source"], &event["DetailType"]), (&json!("millrace.lake"), &json!("millrace.alert.raised")));
    let alert: Value = serde_json::from_str(event["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&alert["service"], &alert["signal"], &alert["value"]),
        (&json!("pay"), &json!("error_rate"), &json!(0.8))
    );
}
