//! `millrace topics apply`.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::catalogue::catalogue;
use millrace_domain::topic_plan::TopicState;
use millrace_kafka::KafkaSettings;
use millrace_kafka::admin::AdminClient;
use millrace_testkit::kafka::{self, Kafka};
use serde_json::{Value, json};

use crate::millrace::{Ended, Millrace};

const BOUND: Duration = Duration::from_secs(30);

/// The catalogue's file, which its crate reads as well.
const CATALOGUE: &str = include_str!("../../../domain/topics.json");

async fn apply(kafka: &Kafka, catalogue: &Value, more: &[&str]) -> Ended {
    let args = [&["topics", "apply", "--kafka", kafka.bootstrap_servers(), "--catalogue", "mine.json"], more].concat();
    Millrace::new(args).file("mine.json", &catalogue.to_string()).run().await
}

async fn states(kafka: &Kafka) -> BTreeMap<String, TopicState> {
    let admin = AdminClient::new(&KafkaSettings::plaintext(kafka.bootstrap_servers())).unwrap();
    let names = catalogue().all().into_iter().map(|topic| topic.name).collect();
    let mut states = admin.topic_states(names, BOUND).await.unwrap();
    // What every topic has is not asserted.
    for state in states.values_mut() {
        state.settings.retain(|name, _| ["retention.ms", "cleanup.policy", "max.message.bytes"].contains(&&**name));
    }
    states
}

#[tokio::test]
async fn topics_are_created_grown_and_set_once() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let mut catalogue: Value = serde_json::from_str(CATALOGUE).unwrap();
    let planned = apply(&kafka, &catalogue, &["--dry-run"]).await.ok();
    assert!(planned.contains("create") && planned.ends_with("nothing was changed (--dry-run)\n"), "{planned}");
    assert_eq!(states(&kafka).await.len(), 0);

    apply(&kafka, &catalogue, &["--replication", "1"]).await.ok();
    let created = states(&kafka).await;
    assert_eq!(created.len(), 18);
    assert_eq!((created["orders"].partitions, created["orders.dlq"].partitions), (3, 1));
    assert_eq!(created["orders.dlq"].settings["retention.ms"], "2592000000", "30 days");
    let again = apply(&kafka, &catalogue, &[]).await.ok();
    assert_eq!(again, "18 topics: 0 changed, 18 already as the catalogue says\n");

    catalogue["topics"][2]["partitions"] = json!(6);
    catalogue["topics"][1]["retention_ms"] = json!(-1);
    let applied = apply(&kafka, &catalogue, &["--json"]).await;
    let audit: Value = applied.stderr.parse().expect("one line, of the audit");
    let expected = (&json!("topics apply"), &json!("applied"), &json!("events, orders"));
    assert_eq!((&audit["message"], &audit["outcome"], &audit["changed"]), expected, "{audit}");
    let grown: Value = serde_json::from_str(&applied.ok()).unwrap();
    assert_eq!(grown["outcome"], "applied");
    let orders = json!({"topic": "orders", "changes": [{"change": "grow", "from": 3, "to": 6}], "refused": []});
    assert_eq!(grown["topics"][2], orders);
    let set = json!([{"change": "set", "setting": "retention.ms", "from": "604800000", "to": "-1"}]);
    assert_eq!(grown["topics"][1]["changes"], set);
    let after = states(&kafka).await;
    assert_eq!(after["orders"].partitions, 6);
    assert_eq!(after["events"].settings["retention.ms"], "-1");
    // What was not to be changed is as before.
    assert_eq!(after["payments"], created["payments"]);
}

#[tokio::test]
async fn what_would_lose_records_is_refused_and_nothing_is_changed() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let mut catalogue: Value = serde_json::from_str(CATALOGUE).unwrap();
    apply(&kafka, &catalogue, &[]).await.ok();
    let before = states(&kafka).await;

    catalogue["topics"][0]["partitions"] = json!(6);
    catalogue["topics"][1]["partitions"] = json!(2);
    catalogue["topics"][2]["retention_ms"] = json!(1_000);
    catalogue["topics"][3]["cleanup_policy"] = json!("compact");
    let refused = apply(&kafka, &catalogue, &["--replication", "2"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for reason in [
        "it has 3 partitions, and the catalogue 2",
        "retention.ms is 604800000, and the catalogue's 1000 would delete older records",
        "cleanup.policy is delete, and the catalogue's compact would remove other records",
        "it has 1 replicas, not 2",
    ] {
        assert!(refused.stdout.contains(reason), "no {reason:?} in {refused:?}");
    }
    assert!(refused.stdout.ends_with("refused: nothing was changed\n"), "{refused:?}");
    assert_eq!(states(&kafka).await, before);

    let catalogue = serde_json::from_str::<Value>(&CATALOGUE.replace("604800000", "86400000")).unwrap();
    assert_eq!(apply(&kafka, &catalogue, &["--dry-run"]).await.code, Some(1));
    apply(&kafka, &catalogue, &["--shorten-retention"]).await.ok();
    assert_eq!(states(&kafka).await["orders"].settings["retention.ms"], "86400000");
}

#[tokio::test]
async fn a_wrong_catalogue_is_named_before_any_broker_is_asked() {
    let args = ["topics", "apply", "--kafka", "127.0.0.1:9", "--catalogue", "mine.json"];
    let wrong = CATALOGUE.replacen("\"partitions\": 3", "\"partitions\": 0", 1);
    for (text, expected) in [(&*wrong, "notifications: partitions must be at least 1, not 0"), ("{", "line 1 column 1")]
    {
        let ended = Millrace::new(args).file("mine.json", text).run().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let named = ended.stderr.starts_with("error: --catalogue (MILLRACE_CATALOGUE): mine.json: ");
        assert!(named && ended.stderr.contains(expected), "{ended:?}");
    }
}
