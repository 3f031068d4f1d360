//! An hour's way to one file: rows of two raw objects, with records in both of them, and the function log-compact by its schedule's event.

use jiff::{SignedDuration, Timestamp};
use millrace_testkit::kafka::RawRecord;
use millrace_testkit::{Kafka, eventually};
use serde_json::json;

use crate::aws::Aws;
use crate::raw_logs;
use crate::task::BOUND;
use crate::terraform::State;

/// Each record is there once, in one file, and counted once.
pub(crate) async fn leaves_each_row_once(root: &Aws, state: &State, kafka: &Kafka, bucket: &str) {
    let hour =
        Timestamp::from_second(Timestamp::now().as_second() / 3_600 * 3_600).unwrap() - SignedDuration::from_hours(3);
    let folder = hour.strftime("cleaned%%2Fdt%%3D%Y-%m-%d%%2Fhour%%3D%-H").to_string();
    for (numbers, files) in [(0..30, 1), (20..50, 2)] {
        let record = |number: i64| {
            let value = json!({"time": hour + SignedDuration::from_secs(number), "level": "info", "msg": "settled"});
            RawRecord::new(value.to_string()).key("ledger").header("ce_id", format!("ledger-{number}"))
        };
        kafka.produce("raw-logs", numbers.map(record)).await;
        eventually(BOUND, "the records are rows", async || {
            (root.keys(bucket, &folder).await.len() >= files).then_some(())
        })
        .await;
    }
    eventually(BOUND, "the hour is one file", async || {
        let answer = root.call_scheduled(state, "log-compact").await;
        assert!(answer.contains("compacted"), "{answer}");
        let files = root.keys(bucket, &folder).await;
        (files.len() == 1 && files[0].contains("/compacted-")).then_some(())
    })
    .await;
    raw_logs::are_counted(kafka, "ledger", 50).await;
}
