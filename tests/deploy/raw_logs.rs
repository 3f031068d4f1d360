//! A log line's way: a record on Kafka, log-shipper with its task's environment and its role's credentials, the Firehose
//! stream, the bucket; then the rule, the queue, the function log-clean with its role's credentials, rows and records; and
//! the same for log-metrics.

use std::collections::{BTreeMap, BTreeSet};

use millrace_testkit::eventually;
use millrace_testkit::kafka::{Isolation, OwnedRecord, RawRecord};
use millrace_testkit::{Kafka, WebhookReceiver};
use serde_json::Value;

use crate::alerts;
use crate::aws::Aws;
use crate::compaction;
use crate::permissions::task_role;
use crate::program::Program;
use crate::task::{self, BOUND};
use crate::terraform::State;

const LINES: usize = 200;

/// The program of the service log-shipper, with its role's credentials.
pub(crate) async fn start_shipper(root: &Aws, state: &State) -> Program {
    let own = root.assume(&task_role(state, "log-shipper")).await;
    let variables = [&own.variables()[..], &[("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0")]].concat();
    task::start(state, "log-shipper", "millrace-log-shipper", &[], &variables)
}

/// The emulator neither gathers nor compresses: an object is a record of the stream, as text.
pub(crate) async fn go_through_the_lake_with_the_roles_own_credentials(
    root: &Aws,
    state: &State,
    kafka: &Kafka,
    chats: &WebhookReceiver,
) {
    let mut consumer = start_shipper(root, state).await;
    let bucket = state.resource("module.millrace.aws_s3_bucket.data")["bucket"].as_str().unwrap();
    let line = |number| RawRecord::new(format!("line {number}")).key("shop").header("ce_id", format!("log-{number}"));
    kafka.produce("raw-logs", (0..LINES).map(line)).await;

    let expected: BTreeSet<String> = (0..LINES).map(|number| format!("log-{number}")).collect();
    let delivered = eventually(BOUND, "the lines are in the bucket", async || {
        consumer.assert_running();
        let mut ids = BTreeSet::new();
        let keys = root.keys(bucket, "raw").await;
        for key in &keys {
            let (status, text) = root.call("s3", "GET", &format!("/{bucket}/{key}"), Vec::new()).await;
            assert_eq!(status, 200, "{text}");
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            ids.extend(lines.map(|line| line["millrace"]["id"].as_str().unwrap().to_owned()));
        }
        (ids == expected).then_some(keys)
    });
    let keys = delivered.await;
    are_cleaned(root, bucket, kafka, &expected).await;
    are_counted(kafka, "shop", LINES as u64).await;
    alerts::are_told_once_with_their_end(root, state, kafka, chats).await;
    compaction::leaves_each_row_once(root, state, kafka, bucket).await;
    assert!(consumer.terminate(BOUND).await.success());
    assert!(keys.len() < LINES, "many lines are one record: {keys:?}");
    for key in keys {
        let folders: Vec<&str> = key.split('/').collect();
        let [raw, year, month, day, hour, _] = folders[..] else { panic!("{key}") };
        let digits = [(year, 4), (month, 2), (day, 2), (hour, 2)];
        assert!(
            raw == "raw" && digits.iter().all(|(text, length)| text.parse::<u16>().is_ok() && text.len() == *length),
            "{key}"
        );
    }
}

/// Each raw object has a manifest, whose rows are as many as its lines; each line is a record.
async fn are_cleaned(root: &Aws, bucket: &str, kafka: &Kafka, expected: &BTreeSet<String>) {
    let cleaned = eventually(BOUND, "the raw objects are cleaned", async || {
        let mut manifests = Vec::new();
        for key in root.keys(bucket, "stages%2Fclean").await {
            let (status, text) = root.call("s3", "GET", &format!("/{bucket}/{key}"), Vec::new()).await;
            assert_eq!(status, 200, "{text}");
            manifests.push(serde_json::from_str::<Value>(&text).unwrap());
        }
        let rows = |manifest: &Value| manifest["report"]["rows"].as_u64().unwrap();
        let is_done = |manifest: &Value| manifest["version"].is_string();
        let done = manifests.iter().all(is_done) && manifests.iter().map(rows).sum::<u64>() == LINES as u64;
        done.then_some(manifests)
    });
    let manifests = cleaned.await;
    let files: BTreeSet<&str> = manifests
        .iter()
        .flat_map(|manifest| manifest["files"].as_array().unwrap())
        .map(|file| file.as_str().unwrap())
        .collect();
    let written = root.keys(bucket, "cleaned").await;
    assert_eq!(written.iter().map(String::as_str).collect::<BTreeSet<_>>(), files);
    let records = kafka.read_all("cleaned-logs", Isolation::Committed).await;
    let ids: BTreeSet<String> = records.iter().map(|record| record.header("ce_id").unwrap().to_owned()).collect();
    assert_eq!(&ids, expected);
}

/// The last record of each window of a service has its rows: together so many.
pub(crate) async fn are_counted(kafka: &Kafka, service: &str, count: u64) {
    eventually(BOUND, "the rows are counted", async || {
        let windows = last_windows(kafka).await.into_values().filter(|window| window["service"] == service);
        (windows.map(|window| window["count"].as_u64().unwrap()).sum::<u64>() == count).then_some(())
    })
    .await;
}

/// The last record of each window on the topic `metrics`, by its service and its start.
pub(crate) async fn last_windows(kafka: &Kafka) -> BTreeMap<(String, String), Value> {
    let records = kafka.read_all("metrics", Isolation::Committed).await;
    let window = |record: &OwnedRecord| {
        let window: Value = serde_json::from_str(record.value_text().unwrap()).unwrap();
        let text = |field: &str| window[field].as_str().unwrap().to_owned();
        ((text("service"), text("window_start")), window)
    };
    records.iter().map(window).collect()
}
