//! Load: numbered orders at a constant rate, recorded in a journal.

use std::time::Duration;

use millrace_domain::payment::payment_id;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_testkit::journal::Entry;
use millrace_testkit::{Journal, Kafka};
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::fixture::WAIT_TIMEOUT;

/// Distinct order ids. Each is ordered repeatedly, with increasing amounts.
const IDS: u64 = 500;

/// Orders in one batch.
const BATCH: u64 = 20;

/// Produces orders, and records the acknowledged ones.
pub(crate) struct Load {
    producer: Producer,
    written: u64,
    pub(crate) journal: Journal,
}

impl Load {
    pub(crate) fn on(kafka: &Kafka) -> Self {
        let settings = ProducerSettings { delivery_timeout: WAIT_TIMEOUT, ..ProducerSettings::default() };
        let producer = Producer::new(&KafkaSettings::plaintext(kafka.bootstrap_servers()), &settings).unwrap();
        Self { producer, written: 0, journal: Journal::new() }
    }

    /// Produces a batch at each `interval`, until `enough` returns true for the count.
    pub(crate) async fn write(&mut self, interval: Duration, enough: impl Fn(u64) -> bool) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !enough(self.written) {
            ticks.tick().await;
            let batch: Vec<_> = (self.written..self.written + BATCH).map(Order::new).collect();
            for report in self.producer.send_all(batch.iter().map(Order::record).collect()).await {
                report.unwrap();
            }
            for order in batch {
                self.journal.acknowledge(order.into_entry());
            }
            self.written += BATCH;
        }
    }
}

/// An order.
struct Order {
    id: String,
    event: String,
    /// Its sequence number among the orders of its id; also its amount.
    sequence: u64,
    value: String,
}

impl Order {
    fn new(number: u64) -> Self {
        let (id, sequence) = (format!("order-{}", number % IDS), number / IDS);
        let value = format!(r#"{{"order_id": "{id}", "amount": {sequence}}}"#);
        Self { id, event: format!("event-{number}"), sequence, value }
    }

    fn record(&self) -> ProducerRecord<'_> {
        ProducerRecord {
            topic: "orders",
            partition: None,
            key: Some(self.id.as_bytes()),
            value: Some(self.value.as_bytes()),
            headers: OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(&self.event) }),
        }
    }

    /// The journal entry of its payment.
    fn into_entry(self) -> Entry {
        Entry::new(payment_id(&self.event).as_str(), self.id, self.sequence)
    }
}

/// The journal entry of a payment's value.
pub(crate) fn entry(payment: &[u8]) -> Entry {
    let value: Value = serde_json::from_slice(payment).unwrap();
    assert_eq!(value["status"], "paid");
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    Entry::new(text("payment_id"), text("order_id"), value["amount"].as_u64().unwrap())
}
