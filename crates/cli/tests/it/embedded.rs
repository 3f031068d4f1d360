//! The commands on the embedded broker, which supports only part of Kafka's protocol.

use millrace_broker::Embedded;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::{Value, json};

use crate::millrace::Millrace;

async fn dead_letter(producer: &Producer, value: &str) {
    let headers = [
        ("ce_id", value),
        ("dlq.topic", "notifications"),
        ("dlq.partition", "0"),
        ("dlq.offset", "0"),
        ("dlq.timestamp", "0"),
        ("dlq.group", "millrace-notifier"),
        ("dlq.attempts", "1"),
        ("dlq.error.class", "permanent"),
        ("dlq.error.reason", "no"),
    ];
    let headers = headers
        .into_iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
    let record = ProducerRecord {
        topic: "notifications.dlq",
        partition: None,
        key: None,
        value: Some(value.as_bytes()),
        headers,
    };
    producer.send(record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_tail_topology_and_topics_on_the_embedded_broker() {
    let broker = Embedded::start(&[("notifications", 2), ("notifications.dlq", 1)]).unwrap();
    let kafka = ["--kafka", broker.bootstrap_servers()];
    let producer = Producer::new(&KafkaSettings::plaintext(kafka[1]), &ProducerSettings::default()).unwrap();
    for value in ["1", "2", "3"] {
        dead_letter(&producer, value).await;
    }

    let replay = async |more: &[&str]| {
        let args = ["replay", "notifications.dlq"].into_iter().chain(kafka).chain(more.iter().copied());
        Millrace::new(args).run().await.ok()
    };
    let listed = replay(&["--id", "2", "--dry-run"]).await;
    assert!(listed.contains("permanent after 1 attempt: no\n"), "{listed}");
    assert_eq!(replay(&["--id", "2"]).await, "replayed 1, skipped 2, failed 0, remaining 2\n");
    assert_eq!(replay(&[]).await, "replayed 2, skipped 0, failed 0, remaining 0\n");
    assert_eq!(replay(&[]).await, "nothing to replay: all dead letters of notifications.dlq were replayed before\n");

    let args = ["tail", "notifications", "--from", "-5", "--count", "3", "--json"].into_iter().chain(kafka);
    let printed = Millrace::new(args).run().await.ok();
    let mut values: Vec<i64> =
        printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["value"].as_i64().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, [1, 2, 3]);

    let args = ["topology", "--format", "json"].into_iter().chain(kafka);
    let topology: Value = serde_json::from_str(&Millrace::new(args).run().await.ok()).unwrap();
    assert_eq!(topology["topics"][0], json!({"name": "notifications", "partitions": 2}));
    assert_eq!(
        topology["groups"],
        json!([{
            "name": "millrace-replay", "kind": "classic", "members": 0, "lag": 0,
            "reads": ["notifications.dlq"], "writes": ["notifications"],
        }])
    );

    let ended = Millrace::new(["topics", "apply"].into_iter().chain(kafka)).run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("is the embedded broker of a millrace dev"), "{ended:?}");
}
