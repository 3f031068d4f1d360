//! The function `log-clean`, unmodified, with a bucket, a bus and the embedded broker.

#![allow(clippy::unwrap_used, reason = "tests")]

mod outage;

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use millrace_broker::embedded::Embedded;
use millrace_testkit::Bucket;
use millrace_testkit::lambda::{Failure, Function, Lambda, event};
use serde_json::{Value, json};

struct Deployed {
    bucket: Bucket,
    lambda: Lambda,
    _broker: Embedded,
}

impl Deployed {
    async fn new() -> Self {
        Self::with(|function| function).await
    }

    async fn with(settings: impl FnOnce(Function) -> Function) -> Self {
        let broker = Embedded::start(&[("cleaned-logs", 3)]).unwrap();
        let bucket = Bucket::start("lake").await;
        let function = function(&bucket, broker.bootstrap_servers()).variable("MILLRACE_LAKE", "s3://lake");
        let lambda = settings(function).deploy();
        Self { bucket, lambda, _broker: broker }
    }

    /// The events of the bus since the first `known`: detail type, object, state or rows.
    fn said(&self, known: usize) -> Vec<(String, String, String)> {
        let events = self.bucket.events();
        let read = |event: &Value| {
            assert_eq!((&event["Source"], &event["EventBusName"]), (&json!("millrace.lake"), &json!("default")));
            let detail: Value = serde_json::from_str(event["Detail"].as_str().unwrap()).unwrap();
            let outcome = detail.get("state").unwrap_or(&detail["rows"]).to_string().replace('"', "");
            (event["DetailType"].as_str().unwrap().to_owned(), detail["object"].as_str().unwrap().to_owned(), outcome)
        };
        events[known..].iter().map(read).collect()
    }
}

fn function(bucket: &Bucket, bootstrap_servers: &str) -> Function {
    let function = Function::new(env!("CARGO_BIN_EXE_millrace-log-clean")).never_frozen();
    function.variable("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers).variables(bucket.variables())
}

fn object(lines: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for line in 0..lines {
        writeln!(encoder, "{{\"level\":\"info\",\"time\":\"2026-01-31T12:00:00Z\",\"msg\":\"{line}\"}}").unwrap();
    }
    encoder.finish().unwrap()
}

fn created(key: &str) -> Value {
    event::object_created("lake", key)
}

/// A batch of messages, whose ids are the keys.
fn messages(keys: &[&str], attempt: u32) -> Value {
    event::messages(keys.iter().map(|key| (*key, created(key))), attempt)
}

fn said(kind: &str, object: &str, outcome: &str) -> (String, String, String) {
    (kind.to_owned(), object.to_owned(), outcome.to_owned())
}

/// The manifest of the only object.
fn manifest(bucket: &Bucket) -> Value {
    let objects = bucket.objects();
    let mut manifests = objects.iter().filter(|(key, _)| key.starts_with("stages/clean/"));
    let (Some((_, manifest)), None) = (manifests.next(), manifests.next()) else { panic!("{:?}", objects.keys()) };
    serde_json::from_slice(manifest).unwrap()
}

async fn answer(lambda: &Lambda, event: &Value) -> Value {
    serde_json::from_slice(&lambda.invoke(event).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_messages_are_cleaned_and_those_that_fail_come_again_alone() {
    let deployed = Deployed::new().await;
    let Deployed { bucket, lambda, .. } = &deployed;
    bucket.put("raw/a.gz", object(10));
    bucket.put("raw/b.gz", object(20));
    bucket.fail(Some("raw/b.gz"));
    let failed = |keys: &[&str]| json!({"batchItemFailures": keys.iter().map(|key| json!({"itemIdentifier": key})).collect::<Vec<_>>()});
    let batch = messages(&["raw/a.gz", "raw/b.gz", "raw/gone.gz"], 1);
    assert_eq!(answer(lambda, &batch).await, failed(&["raw/b.gz"]));
    let expected = [
        said("Stage Completed", "raw/a.gz", "10"),
        said("Stage Failed", "raw/b.gz", "S3Unavailable"),
        said("Stage Failed", "raw/gone.gz", "S3MissingFile"),
    ];
    assert_eq!(deployed.said(0), expected);

    // An alarm counts this line.
    let line = "a message comes again";
    assert!(lambda.environments()[0].log().contains(&format!("\"message\":\"{line}\"")));
    assert!(include_str!("../../../../infra/modules/alerts/main.tf").contains(line));

    bucket.fail(None);
    assert_eq!(answer(lambda, &messages(&["raw/b.gz"], 2)).await, failed(&[]));
    assert_eq!(deployed.said(3), [said("Stage Completed", "raw/b.gz", "20")]);
    let keys: Vec<String> = bucket.objects().into_keys().collect();
    let cleaned =
        keys.iter().filter(|key| key.starts_with("cleaned/dt=2026-01-31/hour=12/") && key.ends_with(".parquet"));
    assert_eq!(cleaned.count(), 2, "{keys:?}");
    assert_eq!(keys.iter().filter(|key| key.starts_with("stages/clean/")).count(), 2, "{keys:?}");
}

/// What S3's console makes as a folder has no lines, and is none of the objects that were deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_console_is_no_object() {
    let deployed = Deployed::new().await;
    assert_eq!(answer(&deployed.lambda, &messages(&["raw/2026/"], 1)).await, json!({"batchItemFailures": []}));
    assert_eq!(answer(&deployed.lambda, &created("raw/2026/")).await, Value::Null);
    assert_eq!(deployed.said(0), []);
}

/// The bus answers 200 although it did not take the event: the message comes again, and the event is on the bus then.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_bus_refused_is_put_again() {
    let deployed = Deployed::new().await;
    let Deployed { bucket, lambda, .. } = &deployed;
    bucket.put("raw/a.gz", object(10));
    bucket.refuse_events(1);
    let event = messages(&["raw/a.gz"], 1);
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "raw/a.gz"}]});
    assert_eq!(answer(lambda, &event).await, failed);
    let before = bucket.objects();
    assert_eq!(answer(lambda, &event).await, json!({"batchItemFailures": []}));
    assert_eq!(deployed.said(0), [said("Stage Completed", "raw/a.gz", "10")]);
    assert!(bucket.objects() == before, "the same objects");
}

/// What fails for good is alerted by its event: without it nobody would know.
#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_comes_again_until_the_bus_took_its_event() {
    let deployed = Deployed::new().await;
    let Deployed { bucket, lambda, .. } = &deployed;
    bucket.refuse_events(1);
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "raw/gone.gz"}]});
    assert_eq!(answer(lambda, &messages(&["raw/gone.gz"], 1)).await, failed);
    assert_eq!(deployed.said(0), []);
    assert_eq!(answer(lambda, &messages(&["raw/gone.gz"], 2)).await, json!({"batchItemFailures": []}));
    assert_eq!(deployed.said(0), [said("Stage Failed", "raw/gone.gz", "S3MissingFile")]);
}

/// A file of more than one part, of an object that comes without a queue.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_is_uploaded_in_parts() {
    let deployed = Deployed::new().await;
    let Deployed { bucket, lambda, .. } = &deployed;
    let noise = |line: u64| format!("{:016x}", line.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ line << 7);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for line in 0..120_000 {
        let words: Vec<_> = (0..8).map(|word| noise(line * 8 + word)).collect();
        writeln!(encoder, "{{\"time\":\"2026-01-31T12:00:00Z\",\"msg\":\"{}\"}}", words.join("-")).unwrap();
    }
    bucket.put("raw/large.gz", encoder.finish().unwrap());
    let cleaned = answer(lambda, &created("raw/large.gz")).await;
    assert_eq!((&cleaned["rows"], &cleaned["files"]), (&json!(120_000), &json!(1)), "{cleaned}");
    let manifest = manifest(bucket);
    let file = manifest["files"][0].as_str().unwrap();
    let written = &bucket.objects()[file];
    assert!(written.len() > 8 << 20, "{}", written.len());
    assert!(written.starts_with(b"PAR1") && written.ends_with(b"PAR1"));
}

/// Lines of a kibibyte each, in 1,024 members of gzip: as relays write them that append.
#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_is_cleaned_in_less_than_200_mb() {
    const MEMBERS: usize = 1_024;
    const LINES: usize = 1_024;
    let deployed = Deployed::with(|function| function.time_out(Duration::from_secs(900))).await;
    let Deployed { bucket, lambda, .. } = &deployed;
    let mut member = GzEncoder::new(Vec::new(), Compression::fast());
    let mut bytes = 0;
    for line in 0..LINES {
        let (minute, second) = (line / 60, line % 60);
        let text = format!(
            "{{\"time\":\"2026-01-31T12:{minute:02}:{second:02}Z\",\"order\":{line},\"msg\":\"{}\"}}\n",
            "paid ".repeat(200)
        );
        bytes += text.len();
        member.write_all(text.as_bytes()).unwrap();
    }
    bucket.put("raw/large.gz", member.finish().unwrap().repeat(MEMBERS));
    answer(lambda, &created("raw/large.gz")).await;
    let report = &manifest(bucket)["report"];
    assert_eq!((&report["rows"], &report["bytes"]), (&json!(MEMBERS * LINES), &json!(MEMBERS * bytes)), "{report:#}");
    assert!(MEMBERS * bytes > 1 << 30, "{bytes}");
    let [environment] = &lambda.environments()[..] else { panic!("one environment") };
    let peak = environment.peak_resident();
    println!("peak memory: {} MiB", peak >> 20);
    assert!((1..200_000_000).contains(&peak), "{peak}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_a_queue_fails_the_invocation_by_its_state() {
    let deployed = Deployed::new().await;
    let fails = async |event: Value| match deployed.lambda.invoke(&event).await {
        Err(Failure::Reported(error)) => error["errorType"].as_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(fails(created("raw/gone.gz")).await, "S3MissingFile");
    assert_eq!(fails(json!({"detail-type": "Object Created"})).await, "InvalidEvent");
    let mut other = created("raw/a.gz");
    other["detail"]["bucket"]["name"] = json!("another");
    assert_eq!(fails(other).await, "S3MissingFile");
}
