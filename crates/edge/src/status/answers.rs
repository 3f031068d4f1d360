//! The status, from the brokers' answers within their time-outs.
//!
//! Any broker has the topics' metadata, but only a partition's leader has its offsets, and only a group's coordinator
//! its committed offsets. Where one of them is unavailable only its own figures are null.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join_all, join3};
use millrace_domain::catalogue::{Consumer, catalogue, dead_letter_topic};
use millrace_domain::record_count::read_metadata;
use millrace_kafka::admin::{AdminClient, ClusterMetadata, Commits, Offsets};
use millrace_kafka::{Committed, KafkaError};

use super::{BrokerStatus, ConsumerStatus, Status, StatusSource, TopicStatus};
use crate::sink::BoxFuture;

/// Time-out of the cluster metadata.
const METADATA_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Time-out of the offsets of all topics in one query.
const ALL_TOPICS_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Time-out of one group's committed offsets, and of one topic's offsets, queried separately where a partition of some
/// topic has no leader.
const SINGLE_QUERY_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Topics with their number of partitions.
type Topics = BTreeMap<String, i32>;

/// Which offset of a partition to query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OffsetSpec {
    Earliest,
    Latest,
}

/// Queries to the cluster, each with a time-out.
trait ClusterQueries: Sync {
    async fn overview(&self, timeout: Duration) -> Result<ClusterMetadata, KafkaError>;
    /// Fails as a whole where one partition has no leader.
    async fn offsets(&self, spec: OffsetSpec, topics: &Topics, timeout: Duration) -> Result<Offsets, KafkaError>;
    /// Without the partitions that have no committed offset.
    async fn committed(&self, group: &str, topics: &Topics, timeout: Duration) -> Result<Commits, KafkaError>;
}

impl ClusterQueries for AdminClient {
    async fn overview(&self, timeout: Duration) -> Result<ClusterMetadata, KafkaError> {
        AdminClient::overview(self, timeout).await
    }

    async fn offsets(&self, spec: OffsetSpec, topics: &Topics, timeout: Duration) -> Result<Offsets, KafkaError> {
        match spec {
            OffsetSpec::Earliest => self.first_offsets(topics, timeout).await,
            OffsetSpec::Latest => self.end_offsets(topics, timeout).await,
        }
    }

    async fn committed(&self, group: &str, topics: &Topics, timeout: Duration) -> Result<Commits, KafkaError> {
        self.commits(group, topics, timeout).await
    }
}

impl StatusSource for AdminClient {
    fn status(&self) -> BoxFuture<'_, Status> {
        Box::pin(status(self))
    }
}

async fn status(brokers: &impl ClusterQueries) -> Status {
    let Some(ClusterMetadata { brokers: count, topics }) =
        in_time(METADATA_TIMEOUT, brokers.overview(METADATA_TIMEOUT)).await
    else {
        tracing::warn!("no broker reachable, status is degraded");
        return Status::unreachable();
    };
    let (firsts, ends, committed) = join3(
        offsets(brokers, OffsetSpec::Earliest, &topics),
        offsets(brokers, OffsetSpec::Latest, &topics),
        join_all(catalogue().consumers.iter().map(|consumer| committed(brokers, consumer, &topics))),
    )
    .await;
    let known = Known { firsts, ends };
    let topics: BTreeMap<String, TopicStatus> =
        topics.into_iter().map(|(name, partitions)| (name.clone(), known.topic(&name, partitions))).collect();
    // One that an installation may be without, and that has never committed, is not there.
    let consumers: BTreeMap<String, ConsumerStatus> = catalogue()
        .consumers
        .iter()
        .zip(committed)
        .filter(|(consumer, committed)| !consumer.is_optional || committed.as_ref().is_none_or(|all| !all.is_empty()))
        .map(|(consumer, committed)| (consumer.name.clone(), known.consumer(consumer, &topics, committed.as_ref())))
        .collect();
    let is_complete = topics.values().all(|topic| topic.end_offset.is_some())
        && consumers.values().all(|ConsumerStatus { lag, processed, dead_lettered, .. }| {
            lag.is_some() && processed.is_some() && dead_lettered.is_some()
        });
    if !is_complete {
        let unknown = topics.iter().filter(|(_, topic)| topic.end_offset.is_none()).map(|(name, _)| name.as_str());
        let topics = unknown.collect::<Vec<_>>().join(", ");
        tracing::warn!(topics, "status incomplete: partition leader or group coordinator unavailable");
    }
    Status {
        status: if is_complete { "ok" } else { "degraded" },
        kafka: BrokerStatus { connected: true, brokers: count },
        topics,
        consumers,
    }
}

/// The answer to a query; `None` where it failed or timed out.
async fn in_time<T>(timeout: Duration, query: impl Future<Output = Result<T, KafkaError>>) -> Option<T> {
    let answer = tokio::time::timeout(timeout, query).await.map_err(|_| "timed out".to_owned());
    let answer = answer.and_then(|answer| answer.map_err(|error| error.to_string()));
    answer.inspect_err(|error| tracing::debug!(error, "status query failed")).ok()
}

/// The offsets of all partitions that have a leader.
async fn offsets(brokers: &impl ClusterQueries, spec: OffsetSpec, topics: &Topics) -> Offsets {
    if let Some(all) = in_time(ALL_TOPICS_TIMEOUT, brokers.offsets(spec, topics, ALL_TOPICS_TIMEOUT)).await {
        return all;
    }
    let single_topics = topics.iter().map(async |(name, &partitions)| {
        let topic = Topics::from([(name.clone(), partitions)]);
        in_time(SINGLE_QUERY_TIMEOUT, brokers.offsets(spec, &topic, SINGLE_QUERY_TIMEOUT)).await.unwrap_or_default()
    });
    join_all(single_topics).await.into_iter().flatten().collect()
}

/// The committed offsets of a consumer's group; `None` where its coordinator does not answer.
async fn committed(brokers: &impl ClusterQueries, consumer: &Consumer, topics: &Topics) -> Option<Commits> {
    let read = consumer.reads.iter().filter_map(|name| Some((name.clone(), *topics.get(name)?))).collect();
    in_time(SINGLE_QUERY_TIMEOUT, brokers.committed(&consumer.group(), &read, SINGLE_QUERY_TIMEOUT)).await
}

/// The record count in the commit metadata; zero where the metadata is not Millrace's or has no count.
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
        let partition_ids = (0..partitions).map(|partition| (name.to_owned(), partition));
        let end_offset = partition_ids.map(|partition| self.ends.get(&partition).copied()).sum();
        TopicStatus { partitions, end_offset }
    }

    fn consumer(
        &self,
        consumer: &Consumer,
        topics: &BTreeMap<String, TopicStatus>,
        committed: Option<&Commits>,
    ) -> ConsumerStatus {
        let read = consumer.reads.iter().filter_map(|name| Some((name, topics.get(name)?)));
        let partitions = read.clone().flat_map(|(name, topic)| (0..topic.partitions).map(|n| (name.clone(), n)));
        let dead_letters = read.filter_map(|(name, _)| topics.get(&dead_letter_topic(name)));
        let lag = |committed: &Commits, partition: &(String, i32)| {
            let (first, end) = (*self.firsts.get(partition)?, *self.ends.get(partition)?);
            // A group without a committed offset starts at the earliest record.
            let done = committed.get(partition).map_or(first, |committed| committed.offset);
            Some((end - done.max(first)).max(0))
        };
        ConsumerStatus {
            group: consumer.group(),
            lag: committed.and_then(|committed| partitions.map(|partition| lag(committed, &partition)).sum()),
            processed: committed.map(|committed| committed.values().map(records).sum()),
            dead_lettered: dead_letters.map(|topic| topic.end_offset).sum(),
        }
    }
}

#[cfg(test)]
mod tests;
