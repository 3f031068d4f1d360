//! What fails has an error type of its own, and changes nothing.

use millrace_testkit::kafka;
use millrace_testkit::lambda::{Failure, Lambda};
use serde_json::{Value, json};

use crate::{catalogue, function_on};

async fn failure(lambda: &Lambda, event: Value) -> (String, String) {
    match lambda.invoke(&event).await {
        Err(Failure::Reported(error)) => {
            let text = |field: &str| error[field].as_str().unwrap().to_owned();
            (text("errorType"), text("errorMessage"))
        }
        other => panic!("{event}: {other:?}"),
    }
}

#[tokio::test]
async fn what_would_lose_records_fails_with_each_reason() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let lambda = function_on(&kafka).deploy();
    lambda.invoke(&json!({"replication": 1})).await.unwrap_or_else(|failure| panic!("{failure}"));

    let mut fewer = catalogue();
    fewer["topics"][0]["partitions"] = json!(1);
    fewer["topics"][1]["retention_ms"] = json!(1_000);
    let (error, message) = failure(&lambda, json!({"catalogue": fewer})).await;
    assert_eq!(error, "TopicsRefused");
    for reason in ["nothing was changed", "notifications: it has 3 partitions", "events: retention.ms is 604800000"] {
        assert!(message.contains(reason), "no {reason:?} in {message}");
    }
}

#[tokio::test]
async fn a_wrong_event_and_a_wrong_catalogue_are_named() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).deploy();
    let mut empty = catalogue();
    empty["topics"][0]["partitions"] = json!(0);
    for (event, error, named) in [
        (json!({"replicas": 3}), "InvalidEvent", "replicas"),
        (json!({"replication": 0}), "InvalidEvent", "replication must be at least 1"),
        (json!({"catalogue": empty}), "InvalidCatalogue", "notifications: partitions must be at least 1"),
        (json!({"catalogue": {}}), "InvalidCatalogue", "dead_letters"),
    ] {
        let (type_, message) = failure(&lambda, event.clone()).await;
        assert!(type_ == error && message.contains(named), "{event}: {type_}: {message}");
    }
}
