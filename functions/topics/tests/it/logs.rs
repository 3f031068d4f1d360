//! Lines of an invocation have its time and request id, at every level.

use millrace_testkit::kafka;
use millrace_testkit::lambda::{Function, Lambda};
use serde_json::{Value, json};

use crate::function_on;

/// The lines of the function's own code after two invocations, of which the second fails.
async fn lines(configure: impl FnOnce(Function) -> Function) -> Option<Vec<Value>> {
    let kafka = kafka::shared().await?;
    let lambda: Lambda = configure(function_on(kafka)).deploy();
    lambda.invoke(&json!({"dry_run": true})).await.unwrap_or_else(|failure| panic!("{failure}"));
    lambda.invoke(&json!({"replication": 0})).await.unwrap_err();
    let log = lambda.environments()[0].log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Some(lines.filter(|line| line["target"] == "millrace_topics_function::handle").collect())
}

#[tokio::test]
async fn every_line_has_the_time_and_the_request_id() {
    for level in ["INFO", "ERROR"] {
        let Some(lines) = lines(|function| function.variable("AWS_LAMBDA_LOG_LEVEL", level)).await else { return };
        let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
        assert_eq!(levels, if level == "INFO" { vec!["INFO", "ERROR"] } else { vec!["ERROR"] });
        for line in &lines {
            let has_id = line["span"]["request_id"].as_str().is_some_and(|id| !id.is_empty());
            assert!(has_id && line["timestamp"].is_string(), "{line}");
        }
    }
}

#[tokio::test]
async fn millraces_own_log_setting_wins_over_lambdas() {
    let configured =
        |function: Function| function.variable("AWS_LAMBDA_LOG_LEVEL", "ERROR").variable("MILLRACE_LOG", "info");
    let Some(lines) = lines(configured).await else { return };
    assert_eq!(lines.len(), 2, "{lines:?}");
}
