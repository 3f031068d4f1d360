//! Numbered orders, produced at a steady pace, and what became of each.

use std::time::Duration;

use millrace_domain::payment::payment_id;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_testkit::journal::Entry;
use millrace_testkit::{Journal, Kafka};
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::fixture::BOUND;

/// Different orders; each is ordered again and again, with rising amounts.
const IDS: u64 = 500;

/// How many orders are written at a time.
const CHUNK: u64 = 20;

/// Writes orders, and writes down which are acknowledged.
pub(crate) struct Load {
    producer: Producer,
    written: u64,
    pub(crate) journal: Journal,
}

impl Load {
    pub(crate) fn on(kafka: &Kafka) -> Self {
        let settings = ProducerSettings { delivery_timeout: BOUND, ..ProducerSettings::default() };
        let producer = Producer::new(&KafkaSettings::plaintext(kafka.bootstrap_servers()), &settings).unwrap();
        Self { producer, written: 0, journal: Journal::new() }
    }

    /// Writes 20 orders at each `interval`, until so many are `enough`.
    pub(crate) async fn write(&mut self, interval: Duration, enough: impl Fn(u64) -> bool) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !enough(self.written) {
            ticks.tick().await;
            let chunk: Vec<_> = (self.written..self.written + CHUNK).map(Order::new).collect();
            for report in self.producer.send_all(chunk.iter().map(Order::record).collect()).await {
                report.unwrap();
            }
            for order in chunk {
                self.journal.acknowledge(order.into_entry());
            }
            self.written += CHUNK;
        }
    }
}

/// An order that somebody places.
struct Order {
    id: String,
    event: String,
    /// Its place among the orders of its id, and its amount.
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

    /// How its payment is read.
    fn into_entry(self) -> Entry {
        Entry::new(payment_id(&self.event).as_str(), self.id, self.sequence)
    }
}

/// A payment's value as the journal's entry.
pub(crate) fn entry(payment: &[u8]) -> Entry {
    let value: Value = serde_json::from_slice(payment).unwrap();
    assert_eq!(value["status"], "paid");
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    Entry::new(text("payment_id"), text("order_id"), value["amount"].as_u64().unwrap())
}
