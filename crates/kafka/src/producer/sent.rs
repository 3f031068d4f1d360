//! How many records librdkafka has put into requests so far, by partition.
//!
//! librdkafka 2.12 says of a record that it was not persisted where the record lay in a request to a broker which the
//! cluster gave up meanwhile (`ERR__DESTROY_BROKER` becomes `MSG_NOT_PERSISTED` in `rd_kafka_err_action`). That broker
//! may only have hung, and writes the request once it goes on. The statistics are the second witness: a record whose
//! partition had no request since it was handed over is not written, of any other we do not know.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

/// From one snapshot to the next. Each costs librdkafka and us about 0.1 ms.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// How long a snapshot is waited for: the interval twice, and room for a busy machine.
const STATS_TIMEOUT: Duration = Duration::from_secs(2);

/// The partition of records that have none yet.
const UNASSIGNED: i32 = -1;

/// Counts at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct BrokerStats {
    number: u64,
    topics: Arc<HashMap<String, HashMap<i32, u64>>>,
}

impl BrokerStats {
    /// How many records of this partition were put into requests; where the partition is not known, of its topic.
    fn sent(&self, topic: &str, partition: i32) -> u64 {
        let Some(partitions) = self.topics.get(topic) else { return 0 };
        match partition {
            UNASSIGNED => partitions.values().sum(),
            partition => partitions.get(&partition).copied().unwrap_or(0),
        }
    }
}

/// Takes librdkafka's statistics.
pub(super) struct SentLog(watch::Sender<BrokerStats>);

impl SentLog {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(BrokerStats::default()))
    }

    /// The latest counts: a record that is sent after this call is not among them.
    pub(super) fn snapshot(&self) -> BrokerStats {
        self.0.borrow().clone()
    }

    /// Counts that hold every record sent before this call; none where none come.
    pub(super) async fn next_snapshot(&self) -> Option<BrokerStats> {
        let mut snapshots = self.0.subscribe();
        // The next one may have been begun before this call.
        let enough = snapshots.borrow().number + 2;
        let next = snapshots.wait_for(|snapshot| snapshot.number >= enough);
        let next = tokio::time::timeout(STATS_TIMEOUT, next).await.ok()?.ok()?.clone();
        Some(next)
    }

    /// Takes the statistics of one moment, in librdkafka's JSON (its STATISTICS.md).
    pub(super) fn take(&self, statistics: &[u8]) {
        let topics = match serde_json::from_slice::<Statistics>(statistics) {
            Ok(statistics) => statistics.topics,
            Err(error) => return tracing::debug!(%error, "librdkafka's statistics cannot be read"),
        };
        let count = |(id, partition): (i32, Partition)| (id != UNASSIGNED).then_some((id, partition.txmsgs));
        let topics =
            topics.into_iter().map(|(name, topic)| (name, topic.partitions.into_iter().filter_map(count).collect()));
        let topics = Arc::new(topics.collect());
        self.0.send_modify(|snapshot| *snapshot = BrokerStats { number: snapshot.number + 1, topics });
    }
}

/// The place of a record whose fate librdkafka may have mistaken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PersistenceCheck {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl PersistenceCheck {
    /// Whether the record cannot have been part of a request between the two moments.
    pub(super) fn is_cleared(&self, before: &BrokerStats, after: &BrokerStats) -> bool {
        before.sent(&self.topic, self.partition) == after.sent(&self.topic, self.partition)
    }
}

#[derive(Deserialize)]
struct Statistics {
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
        sent.take(format!(r#"{{"ts": 1, "topics": {{"orders": {{"partitions": {partitions}}}}}}}"#).as_bytes());
        sent.snapshot()
    }

    #[test]
    fn a_record_is_in_doubt_as_soon_as_its_partition_had_a_request() {
        let in_first = PersistenceCheck { topic: "orders".to_owned(), partition: 0 };
        assert!(in_first.is_cleared(&snapshot(4, 7), &snapshot(4, 8)));
        assert!(!in_first.is_cleared(&snapshot(4, 7), &snapshot(5, 7)));
        assert!(!in_first.is_cleared(&BrokerStats::default(), &snapshot(1, 0)));
    }

    #[test]
    fn a_record_without_a_partition_is_in_doubt_as_soon_as_its_topic_had_a_request() {
        let unassigned = PersistenceCheck { topic: "orders".to_owned(), partition: UNASSIGNED };
        assert!(unassigned.is_cleared(&snapshot(4, 7), &snapshot(4, 7)));
        assert!(!unassigned.is_cleared(&snapshot(4, 7), &snapshot(4, 8)));
        assert!(unassigned.is_cleared(&BrokerStats::default(), &BrokerStats::default()));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_snapshot_begun_after_the_call_counts_and_none_is_waited_for_without_end() {
        let sent = Arc::new(SentLog::new());
        let waiting = tokio::spawn({
            let sent = Arc::clone(&sent);
            async move { sent.next_snapshot().await }
        });
        tokio::task::yield_now().await;
        sent.take(br#"{"topics": {}}"#);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        sent.take(br#"{"topics": {}}"#);
        assert!(waiting.await.expect("no panic").is_some());
        assert!(sent.next_snapshot().await.is_none(), "none came");
    }
}
