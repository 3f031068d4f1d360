//! Counts of the records that librdkafka has put into requests, by partition.
//!
//! librdkafka 2.12 reports a record as not persisted where it was in a request to a broker that the cluster has removed
//! since (`ERR__DESTROY_BROKER` becomes `MSG_NOT_PERSISTED` in `rd_kafka_err_action`). That broker may only have hung,
//! and writes the request when it resumes. The statistics decide: a record is not written if its partition had no
//! request since it was enqueued; otherwise the outcome is unknown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

/// The time between two snapshots. Each costs about 0.1 ms.
pub(super) const STATS_INTERVAL: Duration = Duration::from_millis(500);

/// How long to wait for a snapshot: twice the interval, and a margin for a busy machine.
const STATS_TIMEOUT: Duration = Duration::from_secs(2);

/// The partition of records that have none yet.
const UNASSIGNED: i32 = -1;

/// A snapshot of the counts.
#[derive(Debug, Clone, Default)]
pub(super) struct BrokerStats {
    number: u64,
    topics: Arc<HashMap<String, HashMap<i32, u64>>>,
}

impl BrokerStats {
    /// The number of records of this partition put into requests; of its topic where the partition is not known.
    fn sent(&self, topic: &str, partition: i32) -> u64 {
        let Some(partitions) = self.topics.get(topic) else { return 0 };
        match partition {
            UNASSIGNED => partitions.values().sum(),
            partition => partitions.get(&partition).copied().unwrap_or(0),
        }
    }
}

/// The latest counts from librdkafka's statistics.
pub(super) struct SentLog(watch::Sender<BrokerStats>);

impl SentLog {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(BrokerStats::default()))
    }

    /// The latest counts: they include no record sent after this call.
    pub(super) fn snapshot(&self) -> BrokerStats {
        self.0.borrow().clone()
    }

    /// Counts that include every record sent before this call; `None` where none come in time.
    pub(super) async fn next_snapshot(&self) -> Option<BrokerStats> {
        let mut snapshots = self.0.subscribe();
        // The next snapshot may have begun before this call.
        let enough = snapshots.borrow().number + 2;
        let next = snapshots.wait_for(|snapshot| snapshot.number >= enough);
        let next = tokio::time::timeout(STATS_TIMEOUT, next).await.ok()?.ok()?.clone();
        Some(next)
    }

    /// Records the counts of librdkafka's statistics.
    pub(super) fn record(&self, statistics: Statistics) {
        let topics = statistics.topics;
        let count = |(id, partition): (i32, Partition)| (id != UNASSIGNED).then_some((id, partition.txmsgs));
        let topics =
            topics.into_iter().map(|(name, topic)| (name, topic.partitions.into_iter().filter_map(count).collect()));
        let topics = Arc::new(topics.collect());
        self.0.send_modify(|snapshot| *snapshot = BrokerStats { number: snapshot.number + 1, topics });
    }
}

/// The partition of a record that librdkafka reported as not persisted, to be checked against the counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PersistenceCheck {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl PersistenceCheck {
    /// Whether the record cannot have been part of a request between two snapshots.
    pub(super) fn is_unsent(&self, before: &BrokerStats, after: &BrokerStats) -> bool {
        before.sent(&self.topic, self.partition) == after.sent(&self.topic, self.partition)
    }
}

/// What is read of librdkafka's statistics (its STATISTICS.md).
#[derive(Deserialize)]
pub(super) struct Statistics {
    /// Records that are not acknowledged.
    pub(super) msg_cnt: u64,
    /// Their size in bytes.
    pub(super) msg_size: u64,
    topics: HashMap<String, Topic>,
}

#[derive(Deserialize)]
struct Topic {
    partitions: HashMap<i32, Partition>,
}

#[derive(Deserialize)]
struct Partition {
    txmsgs: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(first: u64, second: u64) -> BrokerStats {
        let sent = SentLog::new();
        let partitions = format!(
            r#"{{"-1": {{"txmsgs": 0, "msgq_cnt": 3}}, "0": {{"txmsgs": {first}}}, "1": {{"txmsgs": {second}}}}}"#
        );
        let topics = format!(r#"{{"orders": {{"partitions": {partitions}}}}}"#);
        let statistics = format!(r#"{{"ts": 1, "msg_cnt": 3, "msg_size": 42, "topics": {topics}}}"#);
        sent.record(serde_json::from_str(&statistics).unwrap());
        sent.snapshot()
    }

    #[test]
    fn a_request_of_its_partition_leaves_a_record_unknown() {
        let in_first = PersistenceCheck { topic: "orders".to_owned(), partition: 0 };
        assert!(in_first.is_unsent(&snapshot(4, 7), &snapshot(4, 8)));
        assert!(!in_first.is_unsent(&snapshot(4, 7), &snapshot(5, 7)));
        assert!(!in_first.is_unsent(&BrokerStats::default(), &snapshot(1, 0)));
    }

    #[test]
    fn a_request_of_its_topic_leaves_an_unassigned_record_unknown() {
        let unassigned = PersistenceCheck { topic: "orders".to_owned(), partition: UNASSIGNED };
        assert!(unassigned.is_unsent(&snapshot(4, 7), &snapshot(4, 7)));
        assert!(!unassigned.is_unsent(&snapshot(4, 7), &snapshot(4, 8)));
        assert!(unassigned.is_unsent(&BrokerStats::default(), &BrokerStats::default()));
    }

    fn empty() -> Statistics {
        Statistics { msg_cnt: 0, msg_size: 0, topics: HashMap::new() }
    }

    /// And the wait for one is bounded.
    #[tokio::test(start_paused = true)]
    async fn only_a_snapshot_begun_after_the_call_counts() {
        let sent = Arc::new(SentLog::new());
        let waiting = tokio::spawn({
            let sent = Arc::clone(&sent);
            async move { sent.next_snapshot().await }
        });
        tokio::task::yield_now().await;
        sent.record(empty());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        sent.record(empty());
        assert!(waiting.await.expect("no panic").is_some());
        assert!(sent.next_snapshot().await.is_none(), "none came");
    }
}
