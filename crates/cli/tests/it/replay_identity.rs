//! A replayed record is the same event to its consumers: id and time are unchanged.

use std::time::Duration;

use http::StatusCode;
use millrace_broker::topics::TopicSpec;
use millrace_domain::catalogue::catalogue;
use millrace_domain::payment::payment_id;
use millrace_testkit::kafka::{self, Isolation, RawRecord};
use millrace_testkit::webhook::{Answer, Received};
use millrace_testkit::{Kafka, WebhookReceiver, eventually};
use serde_json::Value;

use crate::millrace::Millrace;
use crate::replay::{Topics, replay};

const TIMEOUT: Duration = Duration::from_mins(1);

/// `dlq.timestamp` of the dead letters: 2026-01-31T12:00:00Z.
const NOON: i64 = 1_769_860_800_000;

async fn values(kafka: &Kafka, topic: &str) -> Vec<Value> {
    let records = kafka.read_all(topic, Isolation::Committed).await;
    records.iter().map(|record| serde_json::from_slice(record.value.as_ref().unwrap()).unwrap()).collect()
}

/// With records of other producers: without an id, a time or any other header.
#[tokio::test]
async fn a_replayed_record_keeps_its_id_and_time() {
    // The group ids are fixed, so the test needs its own broker.
    let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
    let topics: Vec<_> =
        catalogue().all().iter().map(|topic| TopicSpec::new(topic.name.clone(), topic.partitions)).collect();
    kafka.create_topics(&topics).await;
    let topics = |source: &str| Topics { source: source.to_owned(), dead_letters: format!("{source}.dlq") };

    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [StatusCode::NOT_FOUND, StatusCode::OK].map(Answer::status));
    let config = format!(
        "[destinations.hook]\ntype = \"webhook\"\nurl = \"{}\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n\
         [destinations.console]\ntype = \"console\"\n\
         [[routes]]\ntypes = [\"millrace.notification.requested\"]\nto = [\"hook\"]\n\
         [[routes]]\ntypes = [\"millrace.payment.settled\"]\nto = [\"console\"]\n",
        receiver.url("/hook")
    );
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/state.db", folder.path().display());
    let args = ["consume", "notifier", "payments", "login-insights", "--kafka", kafka.bootstrap_servers()];
    let more = ["--database", &database, "--batch-age", "1s", "--notifier-config", "notifier.toml"];
    let consume = Millrace::new(args.into_iter().chain(more).chain(["--allow-private-destinations"]));
    let consume = consume.file("notifier.toml", &config).start();

    // This notification is stored as failed.
    let notification = RawRecord::new(r#"{"user_id": "7", "message": "hello"}"#).key("7").partition(1);
    let hour_ago = jiff::Timestamp::now().as_millisecond() - 3_600_000;
    kafka.produce("notifications", [RawRecord { timestamp: Some(hour_ago), ..notification }]).await;
    eventually(TIMEOUT, "the notification is a dead letter", async || {
        (kafka.read_all("notifications.dlq", Isolation::Committed).await.len() == 1).then_some(())
    })
    .await;
    let summary = replay(&kafka, &topics("notifications"), &[]).run().await.ok();
    assert_eq!(summary, "replayed 1, skipped 0, failed 0, remaining 0\n");
    let requests = eventually(TIMEOUT, "the notification is delivered", async || {
        let requests = receiver.received_at("/hook");
        (requests.len() == 2).then_some(requests)
    })
    .await;
    let id_and_time = |request: &Received| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let time: jiff::Timestamp = body["timestamp"].as_str().unwrap().parse().unwrap();
        (request.headers["webhook-id"].to_str().unwrap().to_owned(), time.as_millisecond())
    };
    let expected = ("notifications-1-0".to_owned(), hour_ago);
    assert_eq!(requests.iter().map(id_and_time).collect::<Vec<_>>(), [expected.clone(), expected]);

    // Dead letters as the consumers would have written them for records at partition 0, offset 42.
    let dead_letter =
        |source: &str, value: &str| topics(source).dead_letter(RawRecord::new(value), 42, "transient", "away");
    kafka.produce("orders.dlq", [dead_letter("orders", "101")]).await;
    kafka.produce("user-login.dlq", [dead_letter("user-login", r#"{"user_id": "7"}"#)]).await;
    replay(&kafka, &topics("orders"), &[]).run().await.ok();
    replay(&kafka, &topics("user-login"), &[]).run().await.ok();
    let paid = eventually(TIMEOUT, "the order is paid", async || values(&kafka, "payments").await.pop()).await;
    assert_eq!(paid["payment_id"], payment_id(&format!("orders-0-42@{NOON}")).as_str());
    let insight =
        eventually(TIMEOUT, "the login is counted", async || values(&kafka, "processed-data").await.pop()).await;
    assert_eq!(insight["start_time"], "2026-01-31T12:00:00Z", "{insight:#}");

    consume.signal("TERM");
    consume.end().await.ok();
}
