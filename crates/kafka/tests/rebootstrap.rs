//! Clients without brokers, as librdkafka leaves one whose metadata listed none, get the bootstrap servers again.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_testkit::kafka::{self, Kafka};
use millrace_testkit::wait::eventually;
use rdkafka::message::OwnedHeaders;

const BOUND: Duration = Duration::from_secs(60);

/// Clients with these settings are made without brokers, and know where those are.
fn without_brokers(kafka: &Kafka) -> KafkaSettings {
    KafkaSettings {
        overrides: vec![("bootstrap.servers".to_owned(), String::new())],
        ..KafkaSettings::plaintext(kafka.bootstrap_servers())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_reaches_the_brokers_after_a_failure() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka::unique("rebootstrap");
    kafka.create_topics(&[TopicSpec::new(&topic, 1)]).await;
    let settings = ProducerSettings { delivery_timeout: Duration::from_secs(1), ..ProducerSettings::default() };
    let producer = Producer::new(&without_brokers(kafka), &settings).unwrap();
    let send = async || {
        let record = ProducerRecord {
            topic: &topic,
            partition: None,
            key: None,
            value: Some(b"value"),
            headers: OwnedHeaders::new(),
        };
        producer.send(record).await
    };
    assert!(send().await.is_err(), "it has no broker");
    eventually(BOUND, "a record is written", async || send().await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_client_reaches_the_brokers_after_a_failure() {
    let Some(kafka) = kafka::shared().await else { return };
    let admin = AdminClient::new(&without_brokers(kafka)).unwrap();
    let ask = async || admin.overview(Duration::from_secs(1)).await;
    assert!(ask().await.is_err(), "it has no broker");
    let overview = eventually(BOUND, "a broker answers", async || ask().await.ok()).await;
    assert_eq!(overview.brokers, 1);
}
