//! A plain Kafka client.

use std::time::Duration;

use crate::process::wait_until;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError as RdKafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};

const TIMEOUT: Duration = Duration::from_secs(20);

fn producer(address: &str, timeout: Duration) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("message.timeout.ms", timeout.as_millis().to_string())
        .set("acks", "all")
        .set("message.max.bytes", (16 << 20).to_string())
        .create()
        .unwrap()
}

/// Produces `count` records to the partition and waits for the acknowledgement of each.
pub(crate) async fn produce(address: &str, topic: &str, partition: i32, count: usize) -> Result<(), RdKafkaError> {
    let producer = producer(address, TIMEOUT);
    for n in 0..count {
        let value = n.to_string();
        let record = FutureRecord::<str, _>::to(topic).partition(partition).payload(&value);
        producer.send(record, TIMEOUT).await.map_err(|(error, _)| error)?;
    }
    Ok(())
}

/// The end offset of the partition, once a leader answers.
pub(crate) async fn end_offset(address: &str, topic: &str, partition: i32) -> i64 {
    let (address, topic) = (address.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || {
        let consumer = consumer(&address);
        let mut end = None;
        wait_until("a leader answers with the end offset", || {
            end = consumer.fetch_watermarks(&topic, partition, TIMEOUT).ok();
            end.is_some()
        });
        end.unwrap().1
    })
    .await
    .unwrap()
}

/// The topic's number of partitions.
pub(crate) async fn partitions(address: &str, topic: &str) -> usize {
    let (address, topic) = (address.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || {
        consumer(&address).fetch_metadata(Some(&topic), TIMEOUT).unwrap().topics()[0].partitions().len()
    })
    .await
    .unwrap()
}

/// A consumer that joins no group; librdkafka needs a `group.id` to assign partitions.
pub(crate) fn consumer(address: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap()
}

/// Produces one record with this time-out.
pub(crate) async fn produce_within(
    timeout: Duration,
    address: &str,
    topic: &str,
    partition: i32,
) -> Result<(), RdKafkaError> {
    let record = FutureRecord::<str, str>::to(topic).partition(partition).payload("late");
    producer(address, timeout).send(record, timeout).await.map(drop).map_err(|(error, _)| error)
}
