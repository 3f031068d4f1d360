//! `millrace consume`.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::catalogue::catalogue;
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, RawRecord};
use serde_json::{Value, json};

use crate::millrace::Millrace;

#[tokio::test]
async fn the_notifier_creates_topics_delivers_and_drains() {
    // The group id is fixed, so the test needs its own broker.
    let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
    let address = kafka.bootstrap_servers();
    let mut consume = Millrace::new(["consume", "notifier", "--kafka", address]).start();
    let topology = async || -> Value {
        let args = ["topology", "--format", "json", "--kafka", address];
        serde_json::from_str(&Millrace::new(args).run().await.ok()).unwrap()
    };
    // A member for each of its topics.
    eventually(Duration::from_mins(1), "the notifier has joined its group", async || {
        let topology = topology().await;
        let joined = topology["groups"]
            .as_array()?
            .iter()
            .any(|group| group["name"] == "millrace-notifier" && group["members"] == 2);
        joined.then_some(())
    })
    .await;
    let topology_now = topology().await;
    let partitions: BTreeMap<&str, i64> = topology_now["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|topic| (topic["name"].as_str().unwrap(), topic["partitions"].as_i64().unwrap()))
        .collect();
    for topic in catalogue().all() {
        assert_eq!(partitions.get(&*topic.name), Some(&i64::from(topic.partitions)), "{}", topic.name);
    }

    let record = RawRecord::new(r#"{"user_id": "12345", "message": "Your order has shipped!"}"#).key("12345");
    kafka.produce("notifications", [record]).await;
    let line = consume.line().await;
    assert!(line.contains("Your order has shipped!"), "{line}");
    consume.signal("TERM");
    consume.end().await.ok();

    let groups = topology().await["groups"].clone();
    let notifier = &groups[0];
    assert_eq!(groups.as_array().unwrap().len(), 1, "{groups:#}");
    assert_eq!(
        (&notifier["name"], &notifier["members"], &notifier["lag"]),
        (&json!("millrace-notifier"), &json!(0), &json!(0))
    );
}

#[tokio::test]
async fn an_unknown_name_is_rejected_with_the_known_ones() {
    let ended = Millrace::new(["consume", "notifer", "--kafka", "127.0.0.1:9"]).run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("notifer") && ended.stderr.contains("possible values: notifier"), "{ended:?}");
}

#[tokio::test]
async fn a_missing_configuration_file_is_a_wrong_setting() {
    let Some(kafka) = kafka::shared().await else { return };
    let consume = Millrace::new(["consume", "notifier", "--kafka", kafka.bootstrap_servers()]);
    let ended = consume.env("MILLRACE_NOTIFIER_CONFIG", "nowhere.toml").run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("MILLRACE_NOTIFIER_CONFIG") && ended.stderr.contains("nowhere.toml"), "{ended:?}");
}
