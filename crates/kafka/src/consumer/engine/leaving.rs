//! How work on partitions that leave comes to a good end: what has begun is finished, what only waits is left to the
//! next owner.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use tokio::time::Instant;

use super::Engine;
use crate::consumer::recorder::Recorder;
use crate::consumer::work::Work;

/// Partitions that leave, or the end of them all.
pub(super) struct Leaving {
    slots: Vec<usize>,
    deadline: Instant,
}

impl Leaving {
    pub(super) fn begin(slots: Vec<usize>, time: Duration) -> Self {
        Self { slots, deadline: Instant::now() + time }
    }

    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.is_overdue_by(Duration::ZERO)
    }

    pub(super) fn is_overdue_by(&self, time: Duration) -> bool {
        Instant::now() >= self.deadline + time
    }
}

impl<'c, W, R> Engine<'c, W, R>
where
    W: Work<'c>,
    R: Recorder<W::Product>,
{
    /// Gives up what only waits in partitions that leave.
    pub(super) fn give_up_waiting(&mut self, slots: &[usize]) {
        for &slot in slots {
            self.partitions.want_no_more(slot);
        }
        self.ownership_changed();
    }

    /// Says what is owned now, and drops what waits and is not.
    pub(super) fn ownership_changed(&mut self) {
        let wanted = self.partitions.wanted();
        let dropped = self.work.drop_waiting(|lease| wanted.holds(lease));
        let slots: BTreeSet<_> = dropped.iter().map(|lease| lease.slot).collect();
        for lease in dropped {
            self.abandon(lease);
        }
        for slot in slots {
            self.has_room_again(slot);
        }
        self.ownership.set(wanted);
        self.progress.set_owned(self.partitions.owned());
    }

    /// A partition that was paused because of what waited in it goes on, if it is still owned.
    fn has_room_again(&mut self, slot: usize) {
        let was_full = std::mem::take(&mut self.partitions.slot_mut(slot).full_lanes) > 0;
        if was_full && !self.paused && self.draining.is_none() && self.partitions.is_owned(slot) {
            let list = self.partitions.list(&[slot]);
            if let Err(error) = self.client.resume(&list) {
                tracing::warn!(%error, "resuming a partition");
            }
        }
    }
}
