//! The life cycle of execution environments: init, freeze, thaw and shutdown.

use std::time::Duration;

use millrace_testkit::kafka;
use millrace_testkit::lambda::event;
use millrace_testkit::wait::eventually;
use tokio::task::JoinSet;

use crate::fixture::{answer, function, function_on, json, notification, records, send};

const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_first_event_after_a_thaw_is_acknowledged() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.environments(1).deploy();
    let (before, _) = notification();
    assert_eq!(send(&lambda, &before).await.status(), 200);
    let environment = lambda.environments()[0].clone();
    eventually(BOUND, "it is frozen", async || environment.is_frozen().then_some(())).await;
    // Longer than `connections.max.idle.ms`: the thaw finds expired connections.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(environment.is_frozen());

    let (after, id) = notification();
    let response = send(&lambda, &after).await;
    assert_eq!(response.status(), 200, "{}", json(&response));
    assert_eq!(records(kafka, "notifications", &id).await.len(), 1);
    assert_eq!(lambda.environments()[0].pid(), environment.pid(), "the environment is reused");
}

#[tokio::test]
async fn concurrent_events_spread_over_environments() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.environments(3).deploy();
    let mut invocations = JoinSet::new();
    for _ in 0..12 {
        let lambda = lambda.clone();
        invocations.spawn(async move {
            let (request, id) = notification();
            (send(&lambda, &request).await.status(), id)
        });
    }
    let answers = invocations.join_all().await;
    assert_eq!(lambda.environments().len(), 3);
    for (status, id) in answers {
        assert_eq!(status, 200);
        assert_eq!(records(kafka, "notifications", &id).await.len(), 1, "{id}");
    }
}

#[tokio::test]
async fn max_concurrency_lets_one_environment_run_several_events() {
    // Without a broker each invocation takes nearly its whole time-out: sequential ones would be too late.
    let nowhere = function().variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9").time_out(Duration::from_secs(3));
    let lambda = nowhere.environments(1).concurrency(4).deploy();
    let mut invocations = JoinSet::new();
    for _ in 0..4 {
        let lambda = lambda.clone();
        invocations.spawn(async move { send(&lambda, &notification().0).await.status() });
    }
    for status in invocations.join_all().await {
        assert_eq!(status, 504);
    }
    assert_eq!(lambda.environments().len(), 1);
}

#[tokio::test]
async fn a_killed_environment_is_replaced() {
    let Some(kafka) = kafka::shared().await else { return };
    let lambda = function_on(kafka).await.environments(1).deploy();
    assert_eq!(send(&lambda, &notification().0).await.status(), 200);
    let first = lambda.environments()[0].clone();
    first.kill();
    assert_eq!(answer(&lambda, &event::function_url(&notification().0)).await.status(), 200);
    assert_ne!(lambda.environments()[0].pid(), first.pid());
}

#[tokio::test]
async fn logs_are_json_lines_without_colours() {
    let lambda =
        function().variable("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9").variable("MILLRACE_LOG", "debug").deploy();
    let request = http::Request::get("/health").body(bytes::Bytes::new()).unwrap();
    assert_eq!(send(&lambda, &request).await.status(), 200);
    let log = lambda.environments()[0].log();
    assert!(!log.is_empty());
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let is_metrics = line["_aws"].is_object();
        assert!(is_metrics || line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
}
