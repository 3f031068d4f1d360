//! Draining partitions that are revoked, or all at the end: what runs is finished, what is queued is left to the next
//! owner.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_kafka::error::ClientError;
use rdkafka::consumer::Consumer as _;
use tokio::time::Instant;

use crate::commit::OffsetCommitter;
use crate::engine::Engine;
use crate::scheduler::Scheduler;

/// Partitions that drain, and until when.
pub(crate) struct DrainDeadline {
    slots: Vec<usize>,
    deadline: Instant,
}

impl DrainDeadline {
    pub(crate) fn begin(slots: Vec<usize>, time: Duration) -> Self {
        Self { slots, deadline: Instant::now() + time }
    }

    pub(crate) fn slots(&self) -> &[usize] {
        &self.slots
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.is_overdue_by(Duration::ZERO)
    }

    pub(crate) fn is_overdue_by(&self, time: Duration) -> bool {
        Instant::now() >= self.deadline + time
    }
}

impl<'c, S, C> Engine<'c, S, C>
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    /// Drops what is queued in partitions that drain.
    pub(super) fn drop_queued(&mut self, slots: &[usize]) {
        for &slot in slots {
            self.assignment.stop_new_work(slot);
        }
        self.assignment_changed();
    }

    /// Publishes what is owned now, and drops what is queued of anything else.
    pub(super) fn assignment_changed(&mut self) {
        let assigned = self.assignment.assigned();
        let dropped = self.scheduler.drop_queued(|handle| assigned.holds(handle));
        let slots: BTreeSet<_> = dropped.iter().map(|handle| handle.slot).collect();
        for handle in dropped {
            self.abandon(handle);
        }
        for slot in slots {
            self.resume_partition(slot);
        }
        self.watch.set(assigned);
        self.set_joined();
    }

    /// Resumes a partition that was paused because of what was queued in it, if it is still owned.
    fn resume_partition(&mut self, slot: usize) {
        let was_full = std::mem::take(&mut self.assignment.slot_mut(slot).full_queues) > 0;
        if was_full && !self.paused && self.draining.is_none() && self.assignment.is_owned(slot) {
            let list = self.assignment.list(&[slot]);
            if let Err(error) = self.client.resume(&list) {
                tracing::warn!(error = %ClientError(error), "resuming a partition failed");
            }
        }
    }
}
