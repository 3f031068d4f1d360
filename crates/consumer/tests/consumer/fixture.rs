//! A topic and a group of a test's own, and members that work on it.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{
    CompletedOffsets, Consumer, ConsumerError, ConsumerOptions, DestinationQueues, Processor, Subscription,
};
use millrace_domain::Backoff;
use millrace_domain::record_count::read_metadata;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{GroupOffsets, KafkaSettings, Producer};
use millrace_testkit::kafka::{self, Isolation, Kafka, OwnedRecord, RawRecord};
use millrace_testkit::wait::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Kafka's name for the largest batch that a topic takes.
pub(crate) const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A topic with its dead-letter topic and a group, all of this test alone.
pub(crate) struct Fixture<'k> {
    pub(crate) kafka: &'k Kafka,
    pub(crate) topic: String,
    pub(crate) group: String,
}

impl Fixture<'static> {
    pub(crate) async fn set(partitions: i32) -> Option<Self> {
        let kafka = kafka::shared().await?;
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing::level_filters::LevelFilter::WARN)
            .with_test_writer()
            .try_init();
        Some(Self::on(kafka, partitions).await)
    }
}

impl<'k> Fixture<'k> {
    pub(crate) async fn on(kafka: &'k Kafka, partitions: i32) -> Self {
        let topic = kafka::unique("records");
        let letters = TopicSpec::new(format!("{topic}.dlq"), 1);
        kafka.create_topics(&[TopicSpec::new(&topic, partitions), letters]).await;
        Self { kafka, topic, group: kafka::unique("millrace-test") }
    }

    /// A topic and its dead-letter topic with these `max.message.bytes`.
    pub(crate) async fn limited(kafka: &'k Kafka, source: usize, letters: usize) -> Self {
        let topic = kafka::unique("limited");
        let spec = |topic: String, bytes: usize| TopicSpec {
            config: BTreeMap::from([(MAX_MESSAGE_BYTES.to_owned(), bytes.to_string())]),
            ..TopicSpec::new(topic, 1)
        };
        kafka.create_topics(&[spec(topic.clone(), source), spec(format!("{topic}.dlq"), letters)]).await;
        Self { kafka, topic, group: kafka::unique("millrace-test") }
    }

    pub(crate) fn options() -> ConsumerOptions {
        ConsumerOptions {
            backoff: Backoff { base: Duration::from_millis(5), cap: Duration::from_millis(50) },
            commit_interval: Duration::from_millis(50),
            ..ConsumerOptions::default()
        }
    }

    /// Runs a member of the group in the background.
    pub(crate) fn member<P: Processor<Product = ()> + 'static>(
        &self,
        processor: P,
        options: ConsumerOptions,
    ) -> Member {
        self.member_with_queues(processor, |_| None, options)
    }

    /// Runs a member of the group whose processor has destination queues.
    pub(crate) fn member_with_queues<P: Processor<Product = ()> + 'static>(
        &self,
        processor: P,
        queues: impl Fn(&P) -> Option<&dyn DestinationQueues> + Send + 'static,
        options: ConsumerOptions,
    ) -> Member {
        let settings = KafkaSettings::plaintext(self.kafka.bootstrap_servers());
        self.member_with_settings(settings, processor, queues, options)
    }

    /// The same with settings of its own for Kafka.
    pub(crate) fn member_with_settings<P: Processor<Product = ()> + 'static>(
        &self,
        settings: KafkaSettings,
        processor: P,
        queues: impl Fn(&P) -> Option<&dyn DestinationQueues> + Send + 'static,
        options: ConsumerOptions,
    ) -> Member {
        let producer = Producer::new(&settings, &ProducerSettings::default()).unwrap();
        let subscription = Subscription { group: self.group.clone(), ..Subscription::new("test", &[&self.topic]) };
        let consumer = Consumer::new(settings, subscription, options, producer);
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { consumer.run_keyed(&processor, queues(&processor), stop).await }
        });
        Member { task, stop }
    }

    pub(crate) async fn letters(&self) -> Vec<OwnedRecord> {
        self.kafka.read_all(&format!("{}.dlq", self.topic), Isolation::Committed).await
    }

    pub(crate) async fn committed(&self) -> i64 {
        self.kafka.committed_offsets(&self.group, &self.topic).await.values().flatten().sum()
    }

    /// What of the first partition is done beyond the committed offset, as the group says.
    pub(crate) async fn done_beyond(&self) -> Vec<(i64, i64)> {
        let settings = KafkaSettings::plaintext(self.kafka.bootstrap_servers());
        let offsets = GroupOffsets::new(&settings, &self.group, &self.topic).unwrap();
        let committed = offsets.fetch(1, BOUND).await.unwrap().remove(&0).unwrap();
        let (_, done) = read_metadata(committed.offset, &committed.metadata);
        CompletedOffsets::read(committed.offset, done).unwrap().runs().collect()
    }

    pub(crate) async fn until_committed(&self, records: i64) {
        let what = format!("{records} records are committed");
        eventually(BOUND, &what, async || (self.committed().await == records).then_some(())).await;
    }
}

pub(crate) struct Member {
    pub(crate) task: JoinHandle<Result<(), ConsumerError>>,
    pub(crate) stop: CancellationToken,
}

impl Member {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn halted(self) -> String {
        match tokio::time::timeout(BOUND, self.task).await.expect("the consumer halts").unwrap() {
            Err(ConsumerError::Halted(reason)) => reason,
            other => panic!("the consumer ended otherwise: {other:?}"),
        }
    }
}

pub(crate) fn record(key: &str, value: impl Into<Vec<u8>>) -> RawRecord {
    RawRecord::new(value).key(key)
}
