//! How much may be in flight: records and bytes are bounded, and what is spilled is.

use std::time::Duration;

use tokio::time::Instant;

use crate::assignment::Assignment;
use crate::commit::CommitPolicy;
use crate::options::ConsumerOptions;
use crate::scheduler::Scheduler;

/// How long the loop may leave the client unpolled because too much is in flight. After that the partitions are
/// paused, so that rebalances are served and `max.poll.interval.ms` is kept.
const STALL_TIMEOUT: Duration = Duration::from_secs(1);

/// The limits, and whether they hold everything up.
#[derive(Debug)]
pub(crate) struct Flow {
    max_records: usize,
    max_bytes: usize,
    max_spilled: usize,
    /// Whether records may be spilled at all.
    spills: bool,
    /// Whether all partitions are paused.
    is_paused: bool,
    /// Since when nothing more may be in flight.
    full_since: Option<Instant>,
}

impl Flow {
    pub(super) fn new(options: &ConsumerOptions, policy: CommitPolicy) -> Self {
        Self {
            max_records: options.max_in_flight,
            max_bytes: options.max_in_flight_bytes,
            max_spilled: options.max_spilled,
            spills: policy.includes_completed_offsets(),
            is_paused: false,
            full_since: None,
        }
    }

    /// Whether more may be in flight, beside `waiting` products that wait to be committed.
    pub(crate) fn has_capacity<'c>(
        &self,
        assignment: &Assignment,
        scheduler: &impl Scheduler<'c>,
        waiting: usize,
    ) -> bool {
        let (records, bytes) = assignment.load();
        records + waiting < self.max_records && bytes < self.max_bytes && self.has_spill_capacity(scheduler)
    }

    /// Whether more may be in flight than the limits say, by this many records and bytes.
    pub(crate) fn takes_beyond(&self, assignment: &Assignment, more_records: usize, more_bytes: usize) -> bool {
        let (records, bytes) = assignment.load();
        records < self.max_records + more_records && bytes < self.max_bytes + more_bytes
    }

    /// Whether so much done in the time of a tick is little beside what is in flight.
    pub(crate) fn is_slow(&self, records: usize, bytes: usize) -> bool {
        records < self.max_records / 2 && bytes < self.max_bytes / 2
    }

    /// Whether more may be spilled.
    pub(crate) fn may_spill<'c>(&self, scheduler: &impl Scheduler<'c>) -> bool {
        self.spills && scheduler.spilled() < self.max_spilled
    }

    /// Whether more may be read although it may have to be spilled.
    fn has_spill_capacity<'c>(&self, scheduler: &impl Scheduler<'c>) -> bool {
        scheduler.spilled() <= self.max_spilled
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether to pause everything, since too much has been in flight for [`STALL_TIMEOUT`], or to resume it, since half of that is
    /// done; `None`: as it is.
    pub(super) fn watch<'c>(
        &mut self,
        assignment: &Assignment,
        scheduler: &impl Scheduler<'c>,
        waiting: usize,
    ) -> Option<bool> {
        if self.is_paused {
            let (records, bytes) = assignment.load();
            let is_half_empty = records <= self.max_records / 2 && bytes <= self.max_bytes / 2;
            return (is_half_empty && self.has_spill_capacity(scheduler)).then_some(false);
        }
        if self.has_capacity(assignment, scheduler, waiting) {
            self.full_since = None;
            return None;
        }
        let is_stalled = self.full_since.get_or_insert_with(Instant::now).elapsed() >= STALL_TIMEOUT;
        is_stalled.then_some(true)
    }

    /// All partitions are paused now, or resumed.
    pub(super) fn set_paused(&mut self, is_paused: bool) {
        (self.is_paused, self.full_since) = (is_paused, None);
        tracing::debug!(is_paused, "back-pressure: in-flight limit");
    }
}
