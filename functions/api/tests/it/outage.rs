//! A broker that does not answer: the response precedes the function's time-out.

use std::time::{Duration, Instant};

use http::Request;
use millrace_testkit::kafka;
use serde_json::json as value;

use crate::fixture::{function, function_on, json, notification, records, send};

/// OpenTelemetry's SDKs give up soon after.
const OTLP_TIMEOUT: Duration = Duration::from_secs(4);

#[tokio::test]
async fn without_a_broker_the_response_is_503() {
    let lambda = function().variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9").deploy();
    let response = send(&lambda, &notification().0).await;
    let problem = json(&response);
    assert_eq!(response.status(), 503, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("nothing was written"), "{problem}");
    assert!(response.headers().contains_key("retry-after"));
}

/// A retry with the same Idempotency-Key is safe.
#[tokio::test]
async fn a_hanging_broker_leaves_the_outcome_unknown() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    let time_out = Duration::from_secs(5);
    let lambda = function_on(&kafka).await.time_out(time_out).environments(1).deploy();
    assert_eq!(send(&lambda, &notification().0).await.status(), 200);

    kafka.broker(1).pause().unwrap();
    let (request, id) = notification();
    // An invocation that times out would be a failure without a response.
    let response = send(&lambda, &request).await;
    let problem = json(&response);
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (504, &"2".parse().unwrap()));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("may or may not have been written") && detail.contains(&id), "{detail}");

    kafka.broker(1).resume().unwrap();
    let response = send(&lambda, &request).await;
    assert_eq!((response.status().as_u16(), &json(&response)["id"]), (200, &id.as_str().into()), "{}", json(&response));
    assert!(!records(&kafka, "notifications", &id).await.is_empty());
}

/// The environment is started by the request, and its brokers take connections and answer nothing.
#[tokio::test]
async fn log_records_are_answered_within_four_seconds_of_a_cold_start() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    let function = function_on(&kafka).await;
    kafka.broker(1).pause().unwrap();
    let record = value!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "paid"}}]}]}]});
    let request = Request::post("/v1/logs").header("content-type", "application/json");
    let request = request.body(record.to_string().into()).unwrap();
    let begun = Instant::now();
    let lambda = function.environments(1).deploy();
    let response = send(&lambda, &request).await;
    let taken = begun.elapsed();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"2".parse().unwrap()));
    assert!(taken < OTLP_TIMEOUT, "{taken:?}");
    kafka.broker(1).resume().unwrap();
    assert_eq!(send(&lambda, &request).await.status(), 200);
}
