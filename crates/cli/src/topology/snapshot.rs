//! A snapshot of the broker's topics and consumer groups.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use millrace_domain::catalogue::catalogue;
use millrace_kafka::KafkaError;
use millrace_kafka::admin::{self, GroupKind, Offsets};

use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::consume::registry;

/// Concurrent requests for committed offsets: each group needs its own client.
const CONCURRENCY_LIMIT: usize = 8;

/// Topics and groups at one point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The bootstrap servers.
    pub(super) bootstrap_servers: String,
    /// Number of brokers.
    pub(super) brokers: usize,
    /// Topics with their number of partitions.
    pub(super) topics: BTreeMap<String, i32>,
    /// Consumer groups, by name.
    pub(super) groups: Vec<Group>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Its name.
    pub(super) name: String,
    /// Its group protocol.
    pub(super) kind: GroupKind,
    /// Number of members; `None` if it cannot be described.
    pub(super) members: Option<usize>,
    /// The topics it reads, with the lag of each.
    pub(super) reads: BTreeMap<String, u64>,
}

impl Group {
    /// Lag over all its topics; `None` if it commits no offsets.
    pub(super) fn lag(&self) -> Option<u64> {
        (!self.is_without_offsets()).then(|| self.reads.values().sum())
    }

    /// Name of its group protocol. Of the kinds that cannot be described, streams groups commit offsets and share
    /// groups do not.
    pub(super) fn kind(&self) -> &'static str {
        match self.kind {
            GroupKind::Classic => "classic",
            GroupKind::Consumer => "consumer",
            GroupKind::Other if self.is_without_offsets() => "share or streams",
            GroupKind::Other => "streams",
        }
    }

    fn is_without_offsets(&self) -> bool {
        self.kind == GroupKind::Other && self.reads.is_empty()
    }
}

impl Snapshot {
    /// Queries `broker`; `is_dev` when it is that of a running `millrace dev`.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] if it does not answer in time.
    pub(super) async fn take(broker: &Broker, is_dev: bool) -> Result<Self, KafkaError> {
        let topics = &broker.overview.topics;
        let in_memory = broker.cluster.is_in_memory(BROKER_TIMEOUT).await?;
        let (first, end) = tokio::try_join!(
            broker.cluster.first_offsets(topics, BROKER_TIMEOUT),
            broker.cluster.end_offsets(topics, BROKER_TIMEOUT),
        )?;
        let (first, end) = (&first, &end);
        let mut groups: Vec<Group> = futures_util::stream::iter(groups(broker, in_memory, is_dev).await?)
            .map(|admin::Group { name, kind, members }| async move {
                let committed = broker.cluster.committed(&name, topics, BROKER_TIMEOUT).await?;
                // The in-memory broker's are all that there might be: of these only those with members exist.
                let exists = !in_memory || members.is_some_and(|members| members > 0);
                let reads = reads((&name, exists), topics, &committed, first, end);
                Ok(Group { name, kind, members, reads })
            })
            .buffer_unordered(CONCURRENCY_LIMIT)
            .try_collect()
            .await?;
        // In memory, groups without members and committed offsets do not exist.
        groups
            .retain(|group| !in_memory || group.members.is_some_and(|members| members > 0) || !group.reads.is_empty());
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self {
            bootstrap_servers: broker.settings.bootstrap_servers.clone(),
            brokers: broker.overview.brokers,
            topics: topics.clone(),
            groups,
        })
    }
}

/// The groups with their members. The in-memory broker cannot list them, but its `millrace dev` has one member in the
/// group of each consumer; of one that it may run without, nobody knows.
async fn groups(broker: &Broker, in_memory: bool, is_dev: bool) -> Result<Vec<admin::Group>, KafkaError> {
    if !in_memory {
        return broker.cluster.groups(BROKER_TIMEOUT).await;
    }
    let group = |name: String| {
        let is_optional = catalogue().consumers.iter().any(|consumer| consumer.is_optional && consumer.group() == name);
        let members = usize::from(is_dev && !registry::topics_of_group(&name).is_empty());
        admin::Group { name, kind: GroupKind::Classic, members: (!is_optional).then_some(members) }
    };
    Ok(registry::groups().map(group).collect())
}

/// The topics that a group has committed offsets of, or that a consumer of this program reads as this group, with the lag
/// of each.
fn reads(
    (group, exists): (&str, bool),
    topics: &BTreeMap<String, i32>,
    committed: &Offsets,
    first: &Offsets,
    end: &Offsets,
) -> BTreeMap<String, u64> {
    let has_committed =
        |topic: &str| (0..topics[topic]).any(|partition| committed.contains_key(&(topic.to_owned(), partition)));
    let lag_of = |topic: &str| -> u64 {
        let partitions = (0..topics[topic]).map(|partition| (topic.to_owned(), partition));
        let distance = |partition: (String, i32)| {
            // Without a committed offset, Millrace's consumers start at the first record (earliest).
            let at = committed.get(&partition).or(first.get(&partition)).copied().unwrap_or(0);
            u64::try_from(end.get(&partition).copied().unwrap_or(0) - at).unwrap_or(0)
        };
        partitions.map(distance).sum()
    };
    let subscribed = registry::topics_of_group(group);
    let names = topics.keys().filter(|topic| has_committed(topic) || (exists && subscribed.contains(topic)));
    names.map(|topic| (topic.clone(), lag_of(topic))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(list: &[(&str, i32, i64)]) -> Offsets {
        list.iter().map(|&(topic, partition, offset)| ((topic.to_owned(), partition), offset)).collect()
    }

    #[test]
    fn lag_counts_from_the_committed_else_the_first_offset() {
        let topics = BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]);
        let reads = reads(
            ("test-group", true),
            &topics,
            &offsets(&[("a", 0, 7)]),
            &offsets(&[("a", 0, 0), ("a", 1, 2), ("b", 0, 0)]),
            &offsets(&[("a", 0, 10), ("a", 1, 6), ("b", 0, 9)]),
        );
        assert_eq!(reads, BTreeMap::from([("a".to_owned(), 3 + 4)]));
    }

    #[test]
    fn a_consumer_reads_its_topics_before_its_first_commit() {
        let topics = BTreeMap::from([("orders".to_owned(), 1), ("events".to_owned(), 1)]);
        let (first, end) = (offsets(&[("orders", 0, 2)]), offsets(&[("orders", 0, 5), ("events", 0, 9)]));
        let of = |exists| reads(("millrace-payments", exists), &topics, &Offsets::new(), &first, &end);
        assert_eq!(of(true), BTreeMap::from([("orders".to_owned(), 3)]));
        assert_eq!(of(false), BTreeMap::new(), "no such group");
    }
}
