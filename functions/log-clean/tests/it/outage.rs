//! A real broker that dies while an object's rows are on their way to it, and comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::kafka::{self, Isolation};
use millrace_testkit::{Bucket, eventually};
use serde_json::json;

use crate::{answer, function, manifest, messages, object};

/// How long each step may take.
const BOUND: Duration = Duration::from_secs(120);

const ROWS: usize = 200_000;

/// Nothing of the object is visible until all of its rows are acknowledged; then each is in the lake once, and on the topic.
#[tokio::test(flavor = "multi_thread")]
async fn rows_outlive_a_broker_that_dies_and_comes_back() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    kafka.create_topics(&[TopicSpec::new("cleaned-logs", 3)]).await;
    let bucket = Bucket::start("lake").await;
    let function = function(&bucket, kafka.bootstrap_servers()).variable("MILLRACE_LAKE", "s3://lake");
    let lambda = function.time_out(BOUND).deploy();
    bucket.put("raw/a.gz", object(ROWS));

    let first = messages(&["raw/a.gz"], 1);
    let dies = async {
        eventually(BOUND, "some rows are acknowledged", async || {
            let written: i64 = kafka.end_offsets("cleaned-logs").await.values().sum();
            (written > 0).then_some(())
        })
        .await;
        kafka.broker(1).kill().unwrap();
    };
    let (failed, ()) = tokio::join!(answer(&lambda, &first), dies);
    assert_eq!(failed, json!({"batchItemFailures": [{"itemIdentifier": "raw/a.gz"}]}));
    let said: Vec<_> = bucket.events();
    assert!(said[0]["Detail"].as_str().unwrap().contains("\"state\":\"KafkaUnavailable\""), "{said:?}");
    assert!(bucket.objects().keys().all(|key| key.starts_with("raw/")), "{:?}", bucket.objects().keys());

    kafka.broker(1).restart().await.unwrap();
    for attempt in 2..5 {
        let done = answer(&lambda, &messages(&["raw/a.gz"], attempt)).await;
        assert_eq!(done, json!({"batchItemFailures": []}), "attempt {attempt}");
    }
    let objects = bucket.objects();
    assert_eq!(manifest(&bucket)["report"]["rows"], json!(ROWS));
    assert_eq!(objects.keys().filter(|key| key.starts_with("cleaned/")).count(), 1, "{:?}", objects.keys());
    let records = kafka.read_all("cleaned-logs", Isolation::Uncommitted).await;
    let ids: BTreeSet<&str> = records.iter().map(|record| record.header("ce_id").unwrap()).collect();
    assert_eq!(ids.len(), ROWS, "of {} records", records.len());
}
