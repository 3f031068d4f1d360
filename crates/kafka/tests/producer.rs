//! Delivery reports of records whose broker hangs, on a real Kafka.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::HashSet;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, ProduceError, Producer, ProducerRecord};
use millrace_testkit::kafka::{self, Isolation, Kafka};
use millrace_testkit::wait::eventually;
use rdkafka::message::OwnedHeaders;
use tokio::task::JoinSet;

const TOPIC: &str = "records";
const PARTITIONS: i32 = 3;

/// Records for each partition, twice: just after the broker hangs, and after the cluster has removed it.
const EACH: usize = 40;

/// Longer than the cluster takes to remove a hung broker, after which librdkafka forgets what it has sent.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(8);

/// How often the producer asks for the cluster's brokers.
const METADATA_INTERVAL: Duration = Duration::from_millis(500);

const BOUND: Duration = Duration::from_secs(60);

async fn send(producer: Producer, partition: i32, value: String) -> (String, Result<(), ProduceError>) {
    let record = ProducerRecord {
        topic: TOPIC,
        partition: Some(partition),
        key: None,
        value: Some(value.as_bytes()),
        headers: OwnedHeaders::new(),
    };
    let report = producer.send(record).await.map(drop);
    (value, report)
}

async fn written(kafka: &Kafka) -> HashSet<String> {
    let records = kafka.read_all(TOPIC, Isolation::Committed).await;
    records.iter().filter_map(|record| Some(record.value_text()?.to_owned())).collect()
}

/// A record reported as not written stays unwritten, even where a broker that the cluster has removed resumes and
/// writes what it had received.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_reported_as_not_written_is_not_written() {
    let cluster = kafka::dedicated(|cluster| {
        let cluster = cluster.brokers(3).property("broker.session.timeout.ms", "3000");
        cluster.property("broker.heartbeat.interval.ms", "500")
    });
    let Some(kafka) = cluster.await else { return };
    kafka.create_topics(&[TopicSpec { replication: Some(1), ..TopicSpec::new(TOPIC, PARTITIONS) }]).await;
    let settings = KafkaSettings {
        overrides: vec![("topic.metadata.refresh.interval.ms".to_owned(), METADATA_INTERVAL.as_millis().to_string())],
        ..KafkaSettings::plaintext(kafka.bootstrap_servers())
    };
    let producer = Producer::new(
        &settings,
        &ProducerSettings { delivery_timeout: DELIVERY_TIMEOUT, ..ProducerSettings::default() },
    )
    .unwrap();
    for partition in 0..PARTITIONS {
        send(producer.clone(), partition, format!("first-{partition}")).await.1.unwrap();
    }

    // Two of three stay up: the cluster serves, and each of the three led one partition.
    kafka.broker(3).pause().unwrap();
    let mut sent = JoinSet::new();
    for number in 0..EACH {
        for partition in 0..PARTITIONS {
            sent.spawn(send(producer.clone(), partition, format!("early-{partition}-{number}")));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let admin = AdminClient::new(&settings).unwrap();
    eventually(BOUND, "the cluster has removed the broker", async || {
        let overview = admin.overview(BOUND).await.ok()?;
        (overview.brokers == 2).then_some(())
    })
    .await;
    // The producer learns of it a moment later.
    tokio::time::sleep(2 * METADATA_INTERVAL).await;
    for number in 0..EACH {
        for partition in 0..PARTITIONS {
            sent.spawn(send(producer.clone(), partition, format!("late-{partition}-{number}")));
        }
    }
    let reports = sent.join_all().await;
    kafka.broker(3).resume().unwrap();
    eventually(BOUND, "every partition takes records again", async || {
        let last = (0..PARTITIONS).map(|partition| send(producer.clone(), partition, format!("last-{partition}")));
        last.collect::<JoinSet<_>>().join_all().await.iter().all(|(_, report)| report.is_ok()).then_some(())
    })
    .await;

    let written = written(&kafka).await;
    let (mut early_unknown, mut late_not_written) = (0, 0);
    for (value, report) in &reports {
        match report {
            Ok(()) => assert!(written.contains(value), "{value} was acknowledged and is missing"),
            Err(error) if error.may_be_written() => early_unknown += usize::from(value.starts_with("early")),
            Err(error) => {
                assert!(!written.contains(value), "{value} is written, and its report was: {error}");
                late_not_written += usize::from(value.starts_with("late"));
            }
        }
    }
    assert!(early_unknown > 0, "the hung broker led no partition");
    assert_eq!(late_not_written, EACH, "records that were never sent are reported as not written");
}
