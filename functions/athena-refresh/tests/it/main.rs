//! The function `athena-refresh`, unmodified, with a bucket's events, a bus and queries of Athena.

#![allow(clippy::unwrap_used, reason = "tests")]

use millrace_testkit::Bucket;
use millrace_testkit::lambda::{Failure, Function, Lambda, event};
use serde_json::{Value, json};

const FILE: &str = "cleaned/dt=2026-01-31/hour=7/app-1.parquet";

const ADDED: &str = "ALTER TABLE `cleaned` ADD IF NOT EXISTS PARTITION (dt = '2026-01-31', hour = 7) \
                     LOCATION 's3://lake/cleaned/dt=2026-01-31/hour=7/'";

struct Deployed {
    bucket: Bucket,
    lambda: Lambda,
}

impl Deployed {
    async fn new() -> Self {
        let bucket = Bucket::start("lake").await;
        let function = Function::new(env!("CARGO_BIN_EXE_millrace-athena-refresh")).never_frozen();
        let function = function.variable("MILLRACE_LAKE", "s3://lake").variable("MILLRACE_ATHENA_DATABASE", "logs");
        let function = function.variable("MILLRACE_ATHENA_WORKGROUP", "people").variables(bucket.variables());
        Self { bucket, lambda: function.deploy() }
    }

    async fn answer(&self, event: &Value) -> Value {
        serde_json::from_slice(&self.lambda.invoke(event).await.unwrap()).unwrap()
    }

    /// What was said on the bus: detail type and detail.
    fn said(&self) -> Vec<(String, Value)> {
        let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
        let events = self.bucket.events();
        events
            .iter()
            .map(|event| (text(event, "DetailType"), serde_json::from_str(&text(event, "Detail")).unwrap()))
            .collect()
    }
}

fn message(key: &str, attempt: u32) -> Value {
    event::messages([("m", event::object_created("lake", key))], attempt)
}

/// Three files of an hour, each event twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_added_to_its_table_once() {
    let deployed = Deployed::new().await;
    let metrics = "metrics/dt=2026-02-01/hour=0/metrics.parquet";
    for file in [FILE, metrics, &FILE.replace("app-1", "app-2"), FILE, metrics] {
        assert_eq!(deployed.answer(&message(file, 1)).await, json!({"batchItemFailures": []}));
    }
    let queries = deployed.bucket.queries();
    let [first, second] = &queries[..] else { panic!("{queries:?}") };
    assert_eq!((&first["QueryString"], &first["WorkGroup"]), (&json!(ADDED), &json!("people")));
    assert_eq!(first["QueryExecutionContext"]["Database"], "logs");
    assert!(second["QueryString"].as_str().unwrap().contains("`metrics`"), "{second}");
    let partition = "cleaned/dt=2026-01-31/hour=7";
    let completed = json!({"stage": "refresh", "object": FILE, "attempt": 1, "manifest": partition, "rows": 0});
    assert_eq!(deployed.said()[0], ("Stage Completed".to_owned(), completed));
    assert!(deployed.said().iter().all(|(kind, _)| kind == "Stage Completed"));
    assert_eq!(deployed.said().len(), 5);
    let answer = deployed.answer(&event::object_created("lake", FILE)).await;
    assert_eq!(answer, json!({"partition": partition, "was_registered": true}));
}

/// Athena takes each query: that one fails is known only once it has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_fails_comes_again() {
    let deployed = Deployed::new().await;
    deployed.bucket.fail_queries(1);
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "m"}]});
    assert_eq!(deployed.answer(&message(FILE, 1)).await, failed);
    assert_eq!(deployed.answer(&message(FILE, 2)).await, json!({"batchItemFailures": []}));
    assert_eq!(deployed.bucket.queries().len(), 2);
    let said = deployed.said();
    let [(failed, failure), (completed, completion)] = &said[..] else { panic!("{said:?}") };
    assert_eq!((&**failed, &**completed), ("Stage Failed", "Stage Completed"));
    let reason = failure["reason"].as_str().unwrap();
    assert!(reason.contains("has failed: so says the test"), "{reason}");
    assert_eq!((&failure["state"], &failure["class"]), (&json!("AthenaUnavailable"), &json!("transient")));
    assert_eq!(completion["attempt"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_no_table_is_told_and_done() {
    let deployed = Deployed::new().await;
    let other = "cleaned/dt=2026-01-31/hour=07/app-1.parquet";
    assert_eq!(deployed.answer(&message(other, 1)).await, json!({"batchItemFailures": []}));
    assert_eq!(deployed.said()[0].1["state"], "ObjectName");
    match deployed.lambda.invoke(&event::object_created("lake", other)).await {
        Err(Failure::Reported(error)) => assert_eq!(error["errorType"], "ObjectName"),
        other => panic!("{other:?}"),
    }
    assert_eq!(deployed.bucket.queries().len(), 0);
}
