//! A broker that does not answer: the caller is told before the function's time-out.

use std::time::Duration;

use millrace_testkit::kafka;

use crate::fixture::{function, function_on, json, notification, records, send};

#[tokio::test]
async fn without_a_broker_the_caller_learns_that_nothing_was_written() {
    let lambda = function().variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9").deploy();
    let response = send(&lambda, &notification().0).await;
    let problem = json(&response);
    assert_eq!(response.status(), 503, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("nothing was written"), "{problem}");
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_broker_that_falls_silent_leaves_the_outcome_unknown_and_a_repeat_is_safe() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    let time_out = Duration::from_secs(5);
    let lambda = function_on(&kafka).await.time_out(time_out).environments(1).deploy();
    assert_eq!(send(&lambda, &notification().0).await.status(), 200);

    kafka.broker(1).pause().unwrap();
    let (request, id) = notification();
    // An invocation that is cut off by the time-out is a failure, not an answer.
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
