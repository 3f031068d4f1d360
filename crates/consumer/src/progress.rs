//! What others may see of a consumer while it runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Counters and positions of one consumer.
#[derive(Debug, Default)]
pub struct Progress {
    processed: AtomicU64,
    dead_lettered: AtomicU64,
    /// How many group members have no assignment yet; `None` before the start.
    joining: watch::Sender<Option<usize>>,
    positions: Mutex<HashMap<(String, i32), i64>>,
}

impl Progress {
    /// Records processed since the start, dead-lettered ones among them.
    pub fn processed(&self) -> u64 {
        self.processed.load(Ordering::Relaxed)
    }

    /// Records dead-lettered since the start.
    pub fn dead_lettered(&self) -> u64 {
        self.dead_lettered.load(Ordering::Relaxed)
    }

    /// Waits until the group has given this consumer its partitions, be it none.
    pub async fn joined(&self) {
        // The sender lives as long as `self`.
        let _ = self.joining.subscribe().wait_for(|joining| *joining == Some(0)).await;
    }

    /// The offset below which everything of a partition is done, as far as this consumer knows.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        let positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.get(&(topic.to_owned(), partition)).copied()
    }

    pub(crate) fn count(&self, dead_lettered: bool) {
        self.processed.fetch_add(1, Ordering::Relaxed);
        if dead_lettered {
            self.dead_lettered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// So many members join the group now.
    pub(crate) fn begin(&self, members: usize) {
        self.joining.send_replace(Some(members));
    }

    /// One of the members has its assignment.
    pub(crate) fn member_joined(&self) {
        self.joining.send_modify(|joining| *joining = joining.map(|members| members.saturating_sub(1)));
    }

    pub(crate) fn set_position(&self, topic: &str, partition: i32, next: i64) {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.insert((topic.to_owned(), partition), next);
    }
}
