//! `millrace topology`.

use std::time::Duration;

use millrace_testkit::kafka::{self, RawRecord, unique};
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::millrace::Millrace;

#[tokio::test]
async fn json_has_topics_and_groups_with_members_and_lag() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("topology", 3).await;
    kafka.produce(&topic, (0..5).map(|n| RawRecord::new(n.to_string()).partition(1))).await;
    let group = unique("millrace-test");
    let consumer: StreamConsumer = kafka
        .client()
        .set("group.id", &group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&topic]).unwrap();
    for _ in 0..2 {
        let message = timeout(Duration::from_secs(30), consumer.recv()).await.unwrap().unwrap();
        consumer.commit_message(&message, CommitMode::Sync).unwrap();
    }

    let args = ["topology", "--format", "json", "--kafka", kafka.bootstrap_servers()];
    let topology: Value = serde_json::from_str(&Millrace::new(args).run().await.ok()).unwrap();

    let topics = topology["topics"].as_array().unwrap();
    assert!(topics.contains(&json!({"name": topic, "partitions": 3})), "{topology:#}");
    let groups = topology["groups"].as_array().unwrap();
    let group = json!({"name": group, "kind": "classic", "members": 1, "lag": 3, "reads": [topic], "writes": []});
    assert!(groups.contains(&group), "{topology:#}");
}

#[tokio::test]
async fn a_group_of_the_consumer_protocol_has_members_and_lag() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("topology-kip-848", 2).await;
    kafka.produce(&topic, (0..5).map(|n| RawRecord::new(n.to_string()).partition(1))).await;
    let group = unique("kip-848");
    let consumer: StreamConsumer = kafka
        .client()
        .set("group.id", &group)
        .set("group.protocol", "consumer")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&topic]).unwrap();
    let message = timeout(Duration::from_secs(30), consumer.recv()).await.unwrap().unwrap();
    consumer.commit_message(&message, CommitMode::Sync).unwrap();
    drop(message);

    let topology = async |format| {
        Millrace::new(["topology", "--format", format, "--kafka", kafka.bootstrap_servers()]).run().await.ok()
    };
    let json: Value = serde_json::from_str(&topology("json").await).unwrap();
    let expected = json!({"name": group, "kind": "consumer", "members": 1, "lag": 4, "reads": [topic], "writes": []});
    assert!(json["groups"].as_array().unwrap().contains(&expected), "{json:#}");
    assert!(topology("mermaid").await.contains("consumer#58; 1 member"));
    let text = topology("text").await;
    let line = text.lines().find(|line| line.starts_with(&group)).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [&*group, "consumer", "1", "4", &topic]);
}

#[tokio::test]
async fn every_format_shows_the_topic() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("topology-forms", 2).await;
    for (format, start) in
        [("text", kafka.bootstrap_servers()), ("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")]
    {
        let args = ["topology", "--format", format, "--kafka", kafka.bootstrap_servers()];
        let ended = Millrace::new(args).run().await;
        assert_eq!(ended.stderr, "");
        let printed = ended.ok();
        assert!(printed.starts_with(start) && printed.contains(&topic), "{format}: {printed}");
    }
}
