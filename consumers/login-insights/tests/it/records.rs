//! Single records: logins, and the rejection reasons of others.

use std::time::Duration;

use millrace_consumer::{Attempt, Outcome, Processor as _, Transformer as _};
use millrace_domain::DeadLetterClass;
use millrace_kafka::Record;
use millrace_login_insights::{Insights, SeenLogin};
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use serde_json::{Value, json};

/// 2026-01-31T12:00:00Z in milliseconds.
const NOON: i64 = 1_769_860_800_000;

fn record(value: &[u8], offset: i64) -> Record<'static> {
    let (topic, time) = ("user-login".to_owned(), Timestamp::CreateTime(NOON + offset));
    Record::from(OwnedMessage::new(Some(value.to_vec()), Some(b"key".to_vec()), topic, time, 2, offset, None))
}

async fn process(insights: &Insights, value: &[u8], offset: i64) -> Outcome<SeenLogin> {
    insights.process(&record(value, offset), &Attempt::first()).await
}

fn insights() -> Insights {
    Insights::new("processed-data", Duration::from_secs(10))
}

async fn login(insights: &Insights, value: &Value, offset: i64) -> SeenLogin {
    match process(insights, value.to_string().as_bytes(), offset).await {
        Outcome::Done(login) => login,
        other => panic!("not a login: {other:?}"),
    }
}

#[tokio::test]
async fn a_record_that_is_not_a_login_is_rejected_with_a_reason() {
    let large = json!({"user_id": "u", "locale": "x".repeat(500_000)}).to_string();
    for (value, expected) in [
        (&b"plain text"[..], "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not a login: the body must be a JSON object"),
        (b"\"101\"", "not a login: the body must be a JSON object"),
        (br#"{"user_id": ""}"#, "not a login: /user_id must not be empty"),
        (br#"{"device_type": "ios"}"#, "not a login: /user_id is required"),
        (br#"{"user_id": 7, "timestamp": {}}"#, "not a login: /timestamp must be a time"),
        (large.as_bytes(), "not a login: larger than"),
    ] {
        match process(&insights(), value, 0).await {
            Outcome::Reject { class: DeadLetterClass::Permanent, reason, .. } => {
                assert!(reason.starts_with(expected), "{reason}");
            }
            other => panic!("not a dead letter: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_login_without_a_time_has_its_records_timestamp() {
    let insights = insights();
    let batch = [
        login(&insights, &json!({"user_id": 7}), 500).await,
        login(&insights, &json!({"user_id": 7, "timestamp": 1_769_860_801}), 1).await,
    ];
    let records = insights.to_records(batch.iter());
    let insight: Value = serde_json::from_slice(records[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(insight["start_time"], "2026-01-31T12:00:00.5Z");
    assert_eq!(insight["end_time"], "2026-01-31T12:00:01Z");
}

#[tokio::test]
async fn equal_batches_have_equal_insights_and_others_do_not() {
    let insights = insights();
    let mut logins = Vec::new();
    for offset in 0..250 {
        logins.push(login(&insights, &json!({"user_id": offset % 7, "locale": "de-DE"}), offset).await);
    }
    let values = |logins: &[SeenLogin]| -> Vec<String> {
        let records = insights.to_records(logins.iter()).into_iter();
        records.map(|record| String::from_utf8(record.value.unwrap()).unwrap()).collect()
    };
    let first = values(&logins);
    let sizes: Vec<_> =
        first.iter().map(|json| serde_json::from_str::<Value>(json).unwrap()["batch_size"].clone()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(values(&logins), first);
    assert_ne!(values(&logins[1..101]), values(&logins[..100]));
    // The same positions of a recreated topic.
    let mut recreated = logins[..100].to_vec();
    recreated[50].recorded += 1;
    assert_ne!(values(&recreated), first[..1]);
}

#[tokio::test]
async fn insights_of_very_long_names_fit_the_topics_limit() {
    let insights = insights();
    let mut logins = Vec::new();
    for offset in 0..20 {
        let name = format!("{offset}-{}", "x".repeat(80_000));
        let value = json!({"user_id": offset, "locale": name, "device_type": name});
        logins.push(login(&insights, &value, offset).await);
    }
    let mut size = 0;
    for record in insights.to_records(logins.iter()) {
        let value = record.value.unwrap();
        assert!(value.len() <= 1_000_000, "{}", value.len());
        size += serde_json::from_slice::<Value>(&value).unwrap()["batch_size"].as_u64().unwrap();
    }
    assert_eq!(size, 20);
}
