//! `millrace dev` and its settings.

use std::time::Duration;

use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, OutgoingRecord, Producer};
use rdkafka::message::OwnedHeaders;

use crate::millrace::{Millrace, Running};

const ANYWHERE: [&str; 3] = ["dev", "--listen", "127.0.0.1:0"];

/// The bootstrap address that it prints once it serves.
async fn broker_of(dev: &mut Running) -> String {
    loop {
        if let Some(told) = dev.line().await.trim().strip_prefix("Kafka ") {
            return told.split_whitespace().next().unwrap().to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_consumers_are_taken() {
    let mut dev = Millrace::new(ANYWHERE).env("MILLRACE_DEAD_LETTER_LIMIT", "2").start();
    let kafka = KafkaSettings::plaintext(broker_of(&mut dev).await);
    let producer = Producer::new(&kafka, &ProducerSettings::default()).unwrap();
    for _ in 0..2 {
        let (topic, headers) = ("notifications", OwnedHeaders::new());
        let poison = OutgoingRecord { topic, partition: Some(0), key: None, value: Some(b"poison"), headers };
        producer.send(poison).await.unwrap();
    }

    let ended = tokio::time::timeout(Duration::from_secs(30), dev.end()).await.unwrap();

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("2 records in a row were refused for good"), "{ended:?}");
}

#[tokio::test]
async fn security_settings_are_refused_where_the_broker_has_none() {
    for (flags, named) in [
        (&["--kafka-security-protocol", "SSL"][..], "--kafka-security-protocol"),
        (&["--kafka-sasl-username", "ann", "--kafka", "apache"], "--kafka-sasl-username"),
        (&["--kafka-ssl-ca-location", "ca.pem", "--kafka", "embedded"], "--kafka-ssl-ca-location"),
    ] {
        let ended = Millrace::new(ANYWHERE.iter().chain(flags).copied()).run().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("error: {named}: ")), "{ended:?}");
    }
    let ended = Millrace::new(ANYWHERE).env("KAFKA_SASL_MECHANISM", "PLAIN").run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.starts_with("error: KAFKA_SASL_MECHANISM: "), "{ended:?}");
}

#[tokio::test]
async fn security_variables_for_other_commands_do_not_hinder_a_chosen_broker() {
    let args = ANYWHERE.into_iter().chain(["--kafka", "embedded"]);
    let mut dev = Millrace::new(args).env("KAFKA_SECURITY_PROTOCOL", "SSL").start();
    broker_of(&mut dev).await;
    dev.signal("TERM");
    dev.end().await.ok();
}
