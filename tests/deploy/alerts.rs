//! An outage's way: log records, their metrics, log-metrics by its schedule's event, the bus, the queue, the function alerts, the
//! topic of SNS, the queue again, and the chats of the secret.

use jiff::Timestamp;
use millrace_testkit::kafka::RawRecord;
use millrace_testkit::{Kafka, WebhookReceiver, eventually};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::raw_logs;
use crate::task::BOUND;
use crate::terraform::State;

/// Makes the secret of the chats: its ARN. Terraform does not make it, so that it is in no state.
pub(crate) async fn chats_secret(root: &Aws, chats: &WebhookReceiver) -> String {
    let webhooks = json!({"slack": chats.url("/slack"), "teams": chats.url("/teams")}).to_string();
    let secret = json!({"Name": "chats", "SecretString": webhooks, "ClientRequestToken": "0".repeat(32)});
    let secret = root.json("secretsmanager", "secretsmanager.CreateSecret", &secret).await;
    secret["ARN"].as_str().unwrap().to_owned()
}

/// How many these are.
const RECORDS: u64 = 800;

/// Twenty records for each of the last 40 minutes, one of them an error, and fifteen for three minutes.
fn records() -> Vec<RawRecord> {
    let this_minute = Timestamp::now().as_second() / 60 * 60;
    let record = |minutes_ago: i64, number: i64| {
        let is_error = number == 0 || (15..18).contains(&minutes_ago) && number > 5;
        let time = Timestamp::from_second(this_minute - minutes_ago * 60 + number).unwrap();
        let level = if is_error { "error" } else { "info" };
        let value = json!({"time": time, "level": level, "msg": "paid"}).to_string();
        RawRecord::new(value).key("pay").header("ce_id", format!("pay-{minutes_ago}-{number}"))
    };
    (1..=40).rev().flat_map(|minutes_ago| (0..20).map(move |number| record(minutes_ago, number))).collect()
}

/// Allows calls without TLS, which the emulators lack: the topic's policy denies them.
async fn allow_plain_http(root: &Aws, state: &State) {
    let policy = state.resource("module.millrace.module.alerts.aws_sns_topic_policy.alarms");
    let mut document: Value = serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap();
    let statements = document["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| statement["Effect"] == "Allow");
    let document = document.to_string();
    let fields = [
        ("Action", "SetTopicAttributes"),
        ("TopicArn", policy["arn"].as_str().unwrap()),
        ("AttributeName", "Policy"),
        ("AttributeValue", &document),
    ];
    root.query("sns", "2010-03-31", &fields).await;
}

/// Once to each chat, with what is wrong, and once more when it is over.
pub(crate) async fn are_told_once_with_their_end(root: &Aws, state: &State, kafka: &Kafka, chats: &WebhookReceiver) {
    allow_plain_http(root, state).await;
    // A look at a part of the records would find that the rest is missing: the emulator's schedule makes none until all are counted.
    let rule = state.resource("module.millrace.module.schedule[\"log-metrics\"].aws_cloudwatch_event_rule.this");
    root.json("events", "AWSEvents.DisableRule", &json!({"Name": rule["name"]})).await;
    kafka.produce("raw-logs", records()).await;
    raw_logs::are_counted(kafka, "pay", RECORDS).await;
    let texts = |path: &str, text: fn(&Value) -> &Value| -> Vec<String> {
        let posts = chats.received_at(path);
        let bodies = posts.iter().map(|post| serde_json::from_slice::<Value>(&post.body).unwrap());
        bodies.map(|body| text(&body).as_str().unwrap().to_owned()).collect()
    };
    let slack = || texts("/slack", |body| &body["text"]);
    let teams = || texts("/teams", |body| &body["attachments"][0]["content"]["body"][0]["inlines"][0]["text"]);
    eventually(BOUND, "the end of the outage is told in both chats", async || {
        let answer = root.call_scheduled(state, "log-metrics").await;
        assert!(answer.contains("told"), "{answer}");
        (slack().len() >= 2 && teams().len() >= 2).then_some(())
    })
    .await;
    let mut titles = teams();
    titles.sort();
    assert_eq!(titles, ["ALERT pay: 75 % errors, expected 5.0 %", "RESOLVED pay: over: many errors"]);
    let alert = slack().into_iter().find(|text| text.starts_with("*ALERT ")).unwrap();
    assert!(alert.starts_with("*ALERT pay: 75 % errors, expected 5.0 %*: pay: 75 % errors"), "{alert}");
    assert!(alert.contains("\nRows: raw/"), "{alert}");
    assert_eq!(slack().len(), 2);
}
