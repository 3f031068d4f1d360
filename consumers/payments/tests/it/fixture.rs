//! A test's own topics and group, and members that pay orders in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Subscription};
use millrace_domain::Backoff;
use millrace_kafka::producer::{ProducerSettings, TransactionalProducer};
use millrace_kafka::{KafkaSettings, Producer};
use millrace_payments::Payments;
use millrace_payments::gateway::Gateway;
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, Isolation, Kafka, OwnedRecord, RawRecord};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) kafka: &'static Kafka,
    pub(crate) orders: String,
    payments: String,
    group: String,
}

/// A consumer in this process.
pub(crate) struct Member {
    task: JoinHandle<Result<(), ConsumerError>>,
    stop: CancellationToken,
}

impl Fixture {
    pub(crate) async fn new() -> Option<Self> {
        let kafka = kafka::shared().await?;
        let (orders, payments) = (kafka::unique("orders"), kafka::unique("payments"));
        let topics = [(orders.clone(), 3), (payments.clone(), 3), (format!("{orders}.dlq"), 1)];
        let topics = topics.map(|(name, partitions)| TopicSpec::new(name, partitions));
        kafka.create_topics(&topics).await;
        Some(Self { kafka, orders, payments, group: kafka::unique("millrace-test") })
    }

    /// Starts a member of the group with this gateway, and waits until it has joined.
    pub(crate) async fn member(&self, gateway: impl Gateway + 'static) -> Member {
        let settings = KafkaSettings::plaintext(self.kafka.bootstrap_servers());
        let options = ConsumerOptions {
            backoff: Backoff { base: Duration::from_millis(5), cap: Duration::from_millis(50) },
            ..ConsumerOptions::default()
        };
        let producer = TransactionalProducer::of_instance(&settings, millrace_payments::NAME, None).await.unwrap();
        let dead_letters = Producer::new(&settings, &ProducerSettings::default()).unwrap();
        let subscription = Subscription::new(millrace_payments::NAME, &[&self.orders]);
        let subscription = Subscription { group: self.group.clone(), ..subscription };
        let consumer = Consumer::new(settings, subscription, options, dead_letters);
        let (payments, progress) = (Payments::new(gateway, self.payments.clone()), consumer.progress());
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { consumer.run_transactional(&payments, &producer, stop).await }
        });
        tokio::time::timeout(WAIT_TIMEOUT, progress.joined()).await.expect("the member joins its group");
        Member { task, stop }
    }

    pub(crate) async fn order(&self, records: impl IntoIterator<Item = RawRecord>) {
        self.kafka.produce(&self.orders, records).await;
    }

    /// Waits until every order's offset is committed.
    pub(crate) async fn settled(&self) {
        let orders: i64 = self.kafka.end_offsets(&self.orders).await.values().sum();
        let committed =
            async || -> i64 { self.kafka.committed_offsets(&self.group, &self.orders).await.values().flatten().sum() };
        eventually(WAIT_TIMEOUT, "all orders are committed", async || (committed().await == orders).then_some(()))
            .await;
    }

    /// The payments, by partition and offset.
    pub(crate) async fn payments(&self) -> Vec<OwnedRecord> {
        self.kafka.read_all(&self.payments, Isolation::Committed).await
    }

    /// The payments' values by order id, in order.
    pub(crate) async fn values(&self) -> BTreeMap<String, Vec<Value>> {
        let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for payment in self.payments().await {
            let value: Value = serde_json::from_str(payment.value_text().unwrap()).unwrap();
            assert_eq!(payment.key_text(), value["order_id"].as_str(), "the key is the order's id");
            values.entry(payment.key_text().unwrap().to_owned()).or_default().push(value);
        }
        values
    }

    pub(crate) async fn dead_letters(&self) -> Vec<OwnedRecord> {
        self.kafka.read_all(&format!("{}.dlq", self.orders), Isolation::Committed).await
    }
}

impl Member {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// An order record with a key and an event id.
pub(crate) fn order(key: &str, event: &str, value: &str) -> RawRecord {
    RawRecord::new(value).key(key).header("ce_id", event)
}
