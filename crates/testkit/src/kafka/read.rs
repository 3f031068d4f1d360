//! Reading records, end offsets and committed offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::{Kafka, TIMEOUT, unique};
use crate::blocking::blocking;
use crate::eventually;

/// The time-out of one poll, between which the deadline is checked.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// How long a group may take to commit all that a topic holds.
const LAG_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether records of open and aborted transactions are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Isolation {
    /// No: `read_committed`.
    Committed,
    /// Yes: `read_uncommitted`.
    Uncommitted,
}

/// A record on a topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnedRecord {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds since the Unix epoch.
    pub timestamp: Option<i64>,
    /// Its key; `None` is a null key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers in order, repeated and null ones included.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedRecord {
    /// The value of the first header of this name, as text; `None` if there is none, or it is null.
    ///
    /// # Panics
    /// Where it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        value.as_deref().map(text)
    }

    /// The key as text.
    ///
    /// # Panics
    /// Where it is not UTF-8.
    pub fn key_text(&self) -> Option<&str> {
        self.key.as_deref().map(text)
    }

    /// The value as text.
    ///
    /// # Panics
    /// Where it is not UTF-8.
    pub fn value_text(&self) -> Option<&str> {
        self.value.as_deref().map(text)
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(bytes)))
}

impl From<&BorrowedMessage<'_>> for OwnedRecord {
    fn from(record: &BorrowedMessage<'_>) -> Self {
        let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            topic: record.topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
            timestamp: record.timestamp().to_millis(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.payload().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
        }
    }
}

impl Kafka {
    /// All records of the topic up to its current end, by partition and offset.
    ///
    /// # Panics
    /// Where the topic does not exist, or its end is not reached in 30 s.
    pub async fn read_all(&self, topic: &str, isolation: Isolation) -> Vec<OwnedRecord> {
        let (client, topic) = (self.client(), topic.to_owned());
        blocking(move || read_to_end(client, &topic, isolation)).await
    }

    /// The offset after the last record of each partition.
    ///
    /// # Panics
    /// Where the topic does not exist, or a partition has no leader for 30 s.
    pub async fn end_offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        let (client, topic) = (self.client(), topic.to_owned());
        blocking(move || {
            let consumer = consumer(client, &unique("reader"));
            let ends = partitions(&consumer, &topic).into_iter();
            ends.map(|partition| (partition, end_offset(&consumer, &topic, partition))).collect()
        })
        .await
    }

    /// Waits, for a minute at most, until a group has committed all that a topic holds.
    ///
    /// # Panics
    /// If it does not in time; else as the two queries that it makes.
    pub async fn until_no_lag(&self, group: &str, topic: &str) {
        eventually(LAG_TIMEOUT, &format!("{group} has no lag on {topic}"), async || {
            let (committed, ends) = (self.committed_offsets(group, topic).await, self.end_offsets(topic).await);
            ends.iter().all(|(partition, end)| committed[partition].unwrap_or(0) == *end).then_some(())
        })
        .await;
    }

    /// The committed offset of the group for each partition of the topic; `None` where it has none.
    ///
    /// # Panics
    /// Where the topic does not exist, or the group's coordinator does not answer in 30 s.
    pub async fn committed_offsets(&self, group: &str, topic: &str) -> BTreeMap<i32, Option<i64>> {
        let (client, group, topic) = (self.client(), group.to_owned(), topic.to_owned());
        blocking(move || {
            let consumer = consumer(client, &group);
            let mut queried = TopicPartitionList::new();
            for partition in partitions(&consumer, &topic) {
                queried.add_partition(&topic, partition);
            }
            // The list must be dropped before the consumer, or the consumer never closes: locals drop in reverse order.
            let answer = committed(&consumer, &queried)
                .unwrap_or_else(|error| panic!("no committed offsets of {group} on {topic}: {error}"));
            let offsets = answer.elements().into_iter().map(|element| match element.offset() {
                Offset::Offset(offset) => (element.partition(), Some(offset)),
                _ => (element.partition(), None),
            });
            offsets.collect()
        })
        .await
    }
}

/// Retries while the group coordinator is not available, as just after the start of a broker.
fn committed(consumer: &BaseConsumer, queried: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let answer = consumer.committed_offsets(queried.clone(), TIMEOUT);
        let is_retriable_error = answer.as_ref().err().and_then(RdKafkaError::rdkafka_error_code).is_some_and(|code| {
            use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
            matches!(code, CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)
        });
        if !is_retriable_error || Instant::now() >= deadline {
            return answer;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A consumer that joins no group. librdkafka needs a `group.id` to assign partitions and to fetch committed offsets.
fn consumer(mut client: ClientConfig, group: &str) -> BaseConsumer {
    client
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .create()
        .unwrap_or_else(|error| panic!("cannot create a consumer: {error}"))
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> Vec<i32> {
    let metadata =
        consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap_or_else(|error| panic!("no metadata of {topic}: {error}"));
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id))
        .collect();
    assert!(!partitions.is_empty(), "the topic {topic} does not exist");
    partitions
}

/// Retries: a new leader does not know the end offset at once.
fn end_offset(consumer: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match consumer.fetch_watermarks(topic, partition, TIMEOUT) {
            Ok((_, end)) => return end,
            Err(error) => assert!(Instant::now() < deadline, "no end offset of {topic}/{partition}: {error}"),
        }
        std::thread::sleep(POLL_TIMEOUT);
    }
}

/// Reads up to the end that `enable.partition.eof` reports, which is after the last record where a transaction's
/// control record follows.
fn read_to_end(mut client: ClientConfig, topic: &str, isolation: Isolation) -> Vec<OwnedRecord> {
    let isolation = match isolation {
        Isolation::Committed => "read_committed",
        Isolation::Uncommitted => "read_uncommitted",
    };
    client
        .set("isolation.level", isolation)
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "50");
    let consumer = consumer(client, &unique("reader"));
    let mut unread: BTreeSet<i32> = partitions(&consumer, topic).into_iter().collect();
    let mut assignment = TopicPartitionList::new();
    for &partition in &unread {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap_or_else(|error| panic!("{topic}/{partition}: {error}"));
    }
    consumer.assign(&assignment).unwrap_or_else(|error| panic!("{topic} cannot be assigned: {error}"));

    let deadline = Instant::now() + TIMEOUT;
    let mut records = Vec::new();
    while !unread.is_empty() {
        match consumer.poll(POLL_TIMEOUT) {
            None => {}
            Some(Ok(record)) => records.push(OwnedRecord::from(&record)),
            Some(Err(RdKafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
            }
            // librdkafka recovers from retriable errors by itself.
            Some(Err(error)) => {
                assert!(error.rdkafka_error_code().is_some_and(is_retriable), "reading {topic}: {error}");
            }
        }
        assert!(Instant::now() < deadline, "the end of {topic} was not reached in {TIMEOUT:?}: {unread:?} unread");
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

fn is_retriable(code: rdkafka::types::RDKafkaErrorCode) -> bool {
    use rdkafka::types::RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, LeaderNotAvailable, NotLeaderForPartition, OffsetNotAvailable,
        OperationTimedOut, Resolve,
    };
    matches!(
        code,
        AllBrokersDown
            | BrokerTransportFailure
            | LeaderNotAvailable
            | NotLeaderForPartition
            | OffsetNotAvailable
            | OperationTimedOut
            | Resolve
    )
}
