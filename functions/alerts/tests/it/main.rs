//! The function `alerts`, unmodified, with a topic, a bucket, and receivers in the place of Slack and Teams.

#![allow(clippy::unwrap_used, reason = "tests")]

use axum::http::StatusCode;
use millrace_testkit::lambda::{Failure, Function, Lambda, event};
use millrace_testkit::webhook::Answer;
use millrace_testkit::{Bucket, WebhookReceiver};
use serde_json::{Value, json};

const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:alerts";

struct Deployed {
    bucket: Bucket,
    chats: WebhookReceiver,
    lambda: Lambda,
}

impl Deployed {
    async fn new() -> Self {
        let bucket = Bucket::start("lake").await;
        let chats = WebhookReceiver::start().await.unwrap();
        let function = Function::new(env!("CARGO_BIN_EXE_millrace-alerts")).never_frozen();
        let function = function.variable("MILLRACE_LAKE", "s3://lake").variable("MILLRACE_ALERTS_TOPIC", TOPIC);
        let function = function.variable("MILLRACE_SLACK_URL", chats.url("/slack"));
        let function = function.variable("MILLRACE_TEAMS_URL", chats.url("/teams"));
        let lambda = function.variables(bucket.variables()).deploy();
        Self { bucket, chats, lambda }
    }

    /// The messages that come again, by their ids.
    async fn failed(&self, messages: &[(&str, Value)]) -> Vec<String> {
        let event = event::messages(messages.iter().cloned(), 1);
        let answer: Value = serde_json::from_slice(&self.lambda.invoke(&event).await.unwrap()).unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    fn posts(&self, path: &str) -> Vec<Value> {
        self.chats.received_at(path).iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
    }
}

fn on_bus(detail_type: &str, more: &Value) -> Value {
    let mut detail = json!({
        "alert_id": "alert-0123456789abcdef", "service": "pay", "window_start": "2026-01-31T12:10:00Z", "signal": "error_rate",
        "value": 0.41, "baseline": 0.012, "score": 20.0, "rows": {"object": "raw/a.gz", "first_line": 3, "last_line": 70},
    });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "version": "0", "id": "e", "detail-type": detail_type, "source": "millrace.lake", "account": "1",
        "time": "2026-01-31T12:13:00Z", "region": "eu-central-1", "resources": [], "detail": detail,
    })
}

fn notification(id: &str, subject: &str, message: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": id, "TopicArn": TOPIC, "Subject": subject, "Message": message,
        "Timestamp": "2026-01-31T12:13:01.000Z", "SignatureVersion": "1", "Signature": "s", "SigningCertURL": "u",
        "UnsubscribeURL": "u",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_published_once_and_its_end() {
    let deployed = Deployed::new().await;
    let raised = on_bus("millrace.alert.raised", &json!({"also": []}));
    let over = json!({
        "resolved_at": "2026-01-31T12:18:00Z", "services": ["pay"], "service_count": 1, "signals": ["error_rate"], "became_usual": false,
    });
    let resolved = on_bus("millrace.alert.resolved", &over);
    assert_eq!(deployed.failed(&[("m", resolved.clone())]).await, ["m"], "the end waits for the beginning");
    // The topic is away: the message comes again.
    deployed.bucket.refuse_notifications(4);
    assert_eq!(deployed.failed(&[("m", raised.clone())]).await, ["m"]);
    deployed.bucket.refuse_notifications(0);
    for body in [&raised, &raised, &resolved, &resolved] {
        assert_eq!(deployed.failed(&[("m", body.clone())]).await, [""; 0]);
    }
    let published = deployed.bucket.notifications();
    let subjects: Vec<&str> = published.iter().map(|published| published["Subject"].as_str()).collect();
    assert_eq!(subjects, ["ALERT pay: 41 % errors, expected 1.2 %", "RESOLVED pay: over: many errors"]);
    assert_eq!(published[0]["TopicArn"], TOPIC);
    let text = &published[0]["Message"];
    assert!(text.contains("pay: 41 % errors in the minute from 2026-01-31T12:10:00Z, expected 1.2 %.\nRows: raw/a.gz, lines 3 to 70.\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stage_cannot_take_in_is_published_once() {
    let deployed = Deployed::new().await;
    let failed = |class: &str| {
        let mut event = on_bus("Stage Failed", &json!({}));
        event["detail"] = json!({
            "stage": "clean", "object": "raw/a.gz", "attempt": 1, "state": "S3MissingFile", "class": class, "reason": "it is gone",
        });
        event
    };
    for class in ["transient", "permanent", "permanent"] {
        assert_eq!(deployed.failed(&[("m", failed(class))]).await, [""; 0]);
    }
    let published = deployed.bucket.notifications();
    let [failure] = &published[..] else { panic!("{published:?}") };
    assert_eq!(failure["Subject"], "FAILED stage clean: S3MissingFile");
    assert!(failure["Message"].contains("raw/a.gz, and does not try again: S3MissingFile: it is gone"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_is_posted_once_to_each_chat() {
    let deployed = Deployed::new().await;
    let alert = notification("n1", "ALERT pay: <41 %> errors", "pay & more");
    deployed
        .chats
        .answer("/teams", [Answer::status(StatusCode::SERVICE_UNAVAILABLE), Answer::status(StatusCode::ACCEPTED)]);
    assert_eq!(deployed.failed(&[("m", alert.clone())]).await, ["m"], "Teams is away");
    assert_eq!(deployed.posts("/slack").len(), 1);
    assert_eq!(deployed.failed(&[("m", alert.clone())]).await, [""; 0]);
    assert_eq!(deployed.failed(&[("m", alert)]).await, [""; 0]);
    let [slack] = &deployed.posts("/slack")[..] else { panic!("one post to Slack") };
    assert_eq!(slack["text"], "*ALERT pay: &lt;41 %&gt; errors*: pay &amp; more");
    let [_, teams] = &deployed.posts("/teams")[..] else { panic!("a refused post and one that was taken") };
    let card = &teams["attachments"][0]["content"]["body"];
    assert_eq!(card[0]["inlines"][0]["text"], "ALERT pay: <41 %> errors");

    let alarm = json!({
        "AlarmName": "pay-lag", "AlarmDescription": "payments is behind.", "NewStateValue": "ALARM", "NewStateReason": "r",
    });
    // A message that is no news takes no other with it.
    let messages = [("bad", json!({"x": 1})), ("m", notification("n2", "s", &alarm.to_string()))];
    assert_eq!(deployed.failed(&messages).await, [""; 0]);
    assert_eq!(deployed.posts("/slack")[1]["text"], "*ALARM pay-lag*: payments is behind.\nr");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_messages_fails_by_name() {
    let deployed = Deployed::new().await;
    match deployed.lambda.invoke(&json!({})).await {
        Err(Failure::Reported(error)) => assert_eq!(error["errorType"], "InvalidEvent"),
        other => panic!("{other:?}"),
    }
}
