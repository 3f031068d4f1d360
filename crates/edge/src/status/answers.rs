//! The status, put together from what the brokers answer in time.
//!
//! Any broker tells what topics there are, but only a partition's leader tells its offsets, and only a group's
//! coordinator what the group has committed. One of them that is away costs its own figures, and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join_all, join3};
use millrace_domain::catalogue::{Consumer, catalogue, dead_letter_topic};
use millrace_domain::record_count::read_metadata;
use millrace_kafka::admin::{AdminClient, ClusterMetadata, Commits, Offsets};
use millrace_kafka::{Committed, KafkaError};
use tokio::time::timeout;

use super::{BrokerStatus, ConsumerStatus, Status, StatusSource, TopicStatus};
use crate::sink::BoxFuture;

/// How long the brokers may take to tell what topics there are.
const OVERVIEW: Duration = Duration::from_millis(2_500);

/// How long they may take for the offsets of all topics in one question.
const TOGETHER: Duration = Duration::from_millis(1_000);

/// How long they may take for those of one topic, where a partition of some topic has no leader.
const APART: Duration = Duration::from_millis(1_000);

/// Topics with their number of partitions.
type Topics = BTreeMap<String, i32>;

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    End,
}

/// What the brokers are asked; each question waits at most for the time given.
trait ClusterQueries: Sync {
    async fn overview(&self, patience: Duration) -> Result<ClusterMetadata, KafkaError>;
    /// Fails as a whole where one partition has no leader.
    async fn offsets(&self, place: Place, topics: &Topics, patience: Duration) -> Result<Offsets, KafkaError>;
    /// Leaves out partitions of which nothing was committed.
    async fn committed(&self, group: &str, topics: &Topics, patience: Duration) -> Result<Commits, KafkaError>;
}

impl ClusterQueries for AdminClient {
    async fn overview(&self, patience: Duration) -> Result<ClusterMetadata, KafkaError> {
        AdminClient::overview(self, patience).await
    }

    async fn offsets(&self, place: Place, topics: &Topics, patience: Duration) -> Result<Offsets, KafkaError> {
        match place {
            Place::First => self.first_offsets(topics, patience).await,
            Place::End => self.end_offsets(topics, patience).await,
        }
    }

    async fn committed(&self, group: &str, topics: &Topics, patience: Duration) -> Result<Commits, KafkaError> {
        self.commits(group, topics, patience).await
    }
}

impl StatusSource for AdminClient {
    fn status(&self) -> BoxFuture<'_, Status> {
        Box::pin(status(self))
    }
}

async fn status(brokers: &impl ClusterQueries) -> Status {
    let Some(ClusterMetadata { brokers: count, topics }) = in_time(OVERVIEW, brokers.overview(OVERVIEW)).await else {
        tracing::warn!("no broker answers");
        return Status::unreachable();
    };
    let (firsts, ends, committed) = join3(
        offsets(brokers, Place::First, &topics),
        offsets(brokers, Place::End, &topics),
        join_all(catalogue().consumers.iter().map(|consumer| committed(brokers, consumer, &topics))),
    )
    .await;
    let known = Known { firsts, ends };
    let topics: BTreeMap<String, TopicStatus> =
        topics.into_iter().map(|(name, partitions)| (name.clone(), known.topic(&name, partitions))).collect();
    let consumers: BTreeMap<String, ConsumerStatus> = catalogue()
        .consumers
        .iter()
        .zip(committed)
        .map(|(consumer, committed)| (consumer.name.clone(), known.consumer(consumer, &topics, committed.as_ref())))
        .collect();
    let is_whole = topics.values().all(|topic| topic.end_offset.is_some())
        && consumers.values().all(|ConsumerStatus { lag, processed, dead_lettered, .. }| {
            lag.is_some() && processed.is_some() && dead_lettered.is_some()
        });
    if !is_whole {
        let unknown = topics.iter().filter(|(_, topic)| topic.end_offset.is_none()).map(|(name, _)| name.as_str());
        let topics = unknown.collect::<Vec<_>>().join(", ");
        tracing::warn!(topics, "the status is not whole: a leader or a coordinator is away");
    }
    Status {
        status: if is_whole { "ok" } else { "degraded" },
        kafka: BrokerStatus { connected: true, brokers: count },
        topics,
        consumers,
    }
}

/// The answer to a question, where there is one in time.
async fn in_time<T>(patience: Duration, question: impl Future<Output = Result<T, KafkaError>>) -> Option<T> {
    let answer = timeout(patience, question).await.map_err(|_| "not in time".to_owned());
    let answer = answer.and_then(|answer| answer.map_err(|error| error.to_string()));
    answer.inspect_err(|error| tracing::debug!(error, "the brokers did not answer")).ok()
}

/// The offsets of all partitions that have a leader.
async fn offsets(brokers: &impl ClusterQueries, place: Place, topics: &Topics) -> Offsets {
    if let Some(all) = in_time(TOGETHER, brokers.offsets(place, topics, TOGETHER)).await {
        return all;
    }
    let apart = topics.iter().map(async |(name, &partitions)| {
        let topic = Topics::from([(name.clone(), partitions)]);
        in_time(APART, brokers.offsets(place, &topic, APART)).await.unwrap_or_default()
    });
    join_all(apart).await.into_iter().flatten().collect()
}

/// What a consumer's group has committed; `None` where its coordinator does not answer.
async fn committed(brokers: &impl ClusterQueries, consumer: &Consumer, topics: &Topics) -> Option<Commits> {
    let read = consumer.reads.iter().filter_map(|name| Some((name.clone(), *topics.get(name)?))).collect();
    in_time(APART, brokers.committed(&consumer.group(), &read, APART)).await
}

/// How many records a commit counts; none where it is not a consumer's of ours, or not of one that counts.
fn records(committed: &Committed) -> u64 {
    let (records, _) = read_metadata(committed.offset, &committed.metadata);
    records
}

/// The offsets that are known.
struct Known {
    firsts: Offsets,
    ends: Offsets,
}

impl Known {
    fn topic(&self, name: &str, partitions: i32) -> TopicStatus {
        let places = (0..partitions).map(|partition| (name.to_owned(), partition));
        let end_offset = places.map(|place| self.ends.get(&place).copied()).sum();
        TopicStatus { partitions, end_offset }
    }

    fn consumer(
        &self,
        consumer: &Consumer,
        topics: &BTreeMap<String, TopicStatus>,
        committed: Option<&Commits>,
    ) -> ConsumerStatus {
        let read = consumer.reads.iter().filter_map(|name| Some((name, topics.get(name)?)));
        let places = read.clone().flat_map(|(name, topic)| (0..topic.partitions).map(|n| (name.clone(), n)));
        let letters = read.filter_map(|(name, _)| topics.get(&dead_letter_topic(name)));
        let behind = |committed: &Commits, place: &(String, i32)| {
            let (first, end) = (*self.firsts.get(place)?, *self.ends.get(place)?);
            // A group that has committed nothing yet begins with the first record that is there.
            let done = committed.get(place).map_or(first, |committed| committed.offset);
            Some((end - done.max(first)).max(0))
        };
        ConsumerStatus {
            group: consumer.group(),
            lag: committed.and_then(|committed| places.map(|place| behind(committed, &place)).sum()),
            processed: committed.map(|committed| committed.values().map(records).sum()),
            dead_lettered: letters.map(|topic| topic.end_offset).sum(),
        }
    }
}

#[cfg(test)]
mod tests;
