//! Metrics in CloudWatch's Embedded Metric Format, in the function's log by the time of the answer.

use millrace_testkit::kafka;
use millrace_testkit::lambda::Lambda;
use serde_json::{Value, json};

use crate::fixture::{function_on, notification, post, send};

/// The metric documents in the log of the function's one environment.
fn documents(lambda: &Lambda) -> Vec<Value> {
    let log = lambda.environments()[0].log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line.get("_aws").is_some()).collect()
}

#[tokio::test]
async fn an_answers_metrics_are_in_the_log_when_it_arrives() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.deploy();

    assert_eq!(send(&lambda, &notification().0).await.status(), 200);

    let documents_of_one = documents(&lambda);
    let request = documents_of_one.iter().find(|document| document["route"] == "/send-notification").unwrap();
    assert_eq!((&request["method"], &request["status"]), (&json!("POST"), &json!("200")));
    assert_eq!(request["http_requests"], 1.0);
    let took = request["http_request_duration"].as_f64().unwrap();
    assert!(took > 0.0 && took < 15_000.0, "in milliseconds: {took}");
    assert!(documents_of_one.iter().any(|document| document["kafka_produced_records"] == 1.0));

    let refused = post("/orders", "metrics-1").body("{}".into()).unwrap();
    assert_eq!(send(&lambda, &refused).await.status(), 422);
    let since = documents(&lambda).split_off(documents_of_one.len());
    let routes: Vec<_> = since.iter().filter_map(|document| document.get("route")).collect();
    assert_eq!(routes, ["/orders"], "only what changed: {since:?}");
}

#[tokio::test]
async fn metrics_can_be_switched_off() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.variable("MILLRACE_METRICS", "off").deploy();
    assert_eq!(send(&lambda, &notification().0).await.status(), 200);
    assert_eq!(documents(&lambda), [] as [Value; 0]);
}
