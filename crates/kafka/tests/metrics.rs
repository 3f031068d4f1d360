//! A producer's metrics, on the embedded broker.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::time::Duration;

use futures_util::FutureExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use millrace_broker::Embedded;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_testkit::wait::eventually;
use rdkafka::message::OwnedHeaders;

/// As that of a request whose client has gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_counts_though_its_sender_has_gone() {
    let broker = Embedded::start(&[("records", 1)]).unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let settings = KafkaSettings::plaintext(broker.bootstrap_servers());
    let producer = metrics::with_local_recorder(&recorder, || Producer::new(&settings, &ProducerSettings::default()));
    let producer = producer.unwrap();
    let record = ProducerRecord {
        topic: "records",
        partition: None,
        key: None,
        value: Some(b"one"),
        headers: OwnedHeaders::new(),
    };

    assert!(producer.send(record).now_or_never().is_none(), "it is not acknowledged yet");

    for line in ["millrace_kafka_produced_records_total 1", "millrace_kafka_produce_duration_seconds_count 1"] {
        eventually(Duration::from_secs(30), line, async || {
            page.render().lines().any(|found| found == line).then_some(())
        })
        .await;
    }
}
