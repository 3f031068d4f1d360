//! The container's binary on the embedded broker.

use std::fs;

use millrace_broker::embedded::Embedded;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use rdkafka::message::OwnedHeaders;
use serde_json::{Value, json};

use crate::program::{processed, start};

/// An embedded broker with the topics of logins and insights.
pub(crate) fn broker() -> Embedded {
    Embedded::start(&[("user-login", 3), ("user-login.dlq", 1), ("processed-data", 3)]).unwrap()
}

/// Produces this many logins, of four users and without a timestamp.
pub(crate) async fn produce(broker: &Embedded, count: u32) {
    let kafka = KafkaSettings::plaintext(broker.bootstrap_servers());
    let producer = Producer::new(&kafka, &ProducerSettings::default()).unwrap();
    for number in 0..count {
        let user = format!("user-{}", number % 4);
        let value = json!({"user_id": user, "locale": "de-DE"}).to_string();
        let (key, value, headers) = (Some(user.as_bytes()), Some(value.as_bytes()), OwnedHeaders::new());
        let record = ProducerRecord { topic: "user-login", partition: None, key, value, headers };
        producer.send(record).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_the_batch_and_writes_its_file() {
    let (broker, folder) = (broker(), tempfile::tempdir().unwrap());
    let program = start(broker.bootstrap_servers(), folder.path(), &["--batch-age", "1h"]).await;
    program.joined().await;
    produce(&broker, 30).await;
    processed(&program, 30).await;
    program.stop().await;

    let files: Vec<_> = fs::read_dir(folder.path().join("insights")).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let insight: Value = serde_json::from_slice(&fs::read(files[0].path()).unwrap()).unwrap();
    assert_eq!(insight["batch_size"], 30);
    assert_eq!(insight["top_10_locations"], json!({"de-DE": 30}));
    assert_eq!(insight["top_5_users"], json!({"user-0": 8, "user-1": 8, "user-2": 7, "user-3": 7}));
}
