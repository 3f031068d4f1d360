//! When batches close, on a real Kafka.

use std::time::{Duration, Instant};

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Subscription};
use millrace_kafka::producer::{ProducerSettings, TransactionalProducer};
use millrace_kafka::{KafkaSettings, Producer};
use millrace_login_insights::{Insights, consumer_options};
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, Isolation, Kafka};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::logins::{Logins, record};

const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3_600);

struct Fixture {
    kafka: &'static Kafka,
    logins: String,
    insights: String,
}

struct Member {
    task: JoinHandle<Result<(), ConsumerError>>,
    stop: CancellationToken,
}

impl Member {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Fixture {
    async fn new() -> Option<Self> {
        let kafka = kafka::shared().await?;
        let (logins, insights) = (kafka::unique("logins"), kafka::unique("insights"));
        let dlq = TopicSpec::new(format!("{logins}.dlq"), 1);
        kafka.create_topics(&[TopicSpec::new(&logins, 3), TopicSpec::new(&insights, 1), dlq]).await;
        Some(Self { kafka, logins, insights })
    }

    async fn produce(&self, seed: u64, count: usize) {
        let logins: Vec<_> = Logins::seeded(seed).take(count).map(|login| record(&login)).collect();
        self.kafka.produce(&self.logins, logins).await;
    }

    async fn member(&self, batch_age: Duration) -> Member {
        let settings = KafkaSettings::plaintext(self.kafka.bootstrap_servers());
        let dead_letters = Producer::new(&settings, &ProducerSettings::default()).unwrap();
        let group = format!("millrace-{}", self.logins);
        let subscription = Subscription { group, ..Subscription::new("test", &[&self.logins]) };
        let options = consumer_options(ConsumerOptions::default());
        let consumer = Consumer::new(settings.clone(), subscription, options, dead_letters);
        let id = kafka::unique("millrace-test");
        let producer = TransactionalProducer::new(&settings, &ProducerSettings::default(), &id).unwrap();
        producer.init_transactions(WAIT_TIMEOUT).await.unwrap();
        let (insights, stop) = (Insights::new(self.insights.clone(), batch_age), CancellationToken::new());
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { consumer.run_transactional(&insights, &producer, stop).await }
        });
        Member { task, stop }
    }

    async fn sizes(&self) -> Vec<u64> {
        let records = self.kafka.read_all(&self.insights, Isolation::Committed).await;
        let size = |value: &str| serde_json::from_str::<Value>(value).unwrap()["batch_size"].as_u64().unwrap();
        records.iter().map(|record| size(record.value_text().unwrap())).collect()
    }

    async fn until_sizes(&self, expected: &[u64]) {
        eventually(WAIT_TIMEOUT, &format!("the insights are of {expected:?} logins"), async || {
            (self.sizes().await == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_batch_closes_at_once_and_the_rest_on_a_stop() {
    let Some(fixture) = Fixture::new().await else { return };
    let member = fixture.member(NEVER).await;
    fixture.produce(1, 150).await;
    fixture.until_sizes(&[100]).await;
    member.stop().await;
    assert_eq!(fixture.sizes().await, [100, 50]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_not_full_closes_at_its_age() {
    let Some(fixture) = Fixture::new().await else { return };
    let age = Duration::from_secs(2);
    let (member, start) = (fixture.member(age).await, Instant::now());
    fixture.produce(2, 150).await;
    fixture.until_sizes(&[100, 50]).await;
    assert!(start.elapsed() >= age, "after {:?}", start.elapsed());
    member.stop().await;
    assert_eq!(fixture.sizes().await, [100, 50]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_closes_when_its_partitions_are_revoked() {
    let Some(fixture) = Fixture::new().await else { return };
    let first = fixture.member(NEVER).await;
    fixture.produce(3, 90).await;
    fixture.produce(4, 110).await;
    fixture.until_sizes(&[100, 100]).await;
    fixture.produce(5, 99).await;
    let second = fixture.member(NEVER).await;
    // At least one of the three partitions is revoked, with the logins that wait in it.
    let closed = async || (fixture.sizes().await.iter().sum::<u64>() > 200).then_some(());
    eventually(WAIT_TIMEOUT, "logins of a revoked partition are in an insight", closed).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(fixture.sizes().await.iter().sum::<u64>(), 299);
}
