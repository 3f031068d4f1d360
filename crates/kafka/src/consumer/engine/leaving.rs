//! How work on partitions that leave comes to a good end: what is being done is finished, and so is what stands before
//! it; the rest is left to the next owner.

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
    /// Until when what waits is worked on where it is needed. What is being done then has the rest of the time.
    patience: Option<Instant>,
}

impl Leaving {
    pub(super) fn begin(slots: Vec<usize>, time: Duration) -> Self {
        let now = Instant::now();
        Self { slots, deadline: now + time, patience: Some(now + time * 3 / 5) }
    }

    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// Whose waiting is at an end; once.
    pub(super) fn end_of_patience(&mut self) -> Option<Vec<usize>> {
        self.patience.take_if(|until| Instant::now() >= *until).map(|_| self.slots.clone())
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
    /// Gives up what waits in partitions that leave and is not needed.
    pub(super) fn keep_what_is_needed(&mut self, slots: &[usize]) {
        for &slot in slots {
            let mut waiting = self.ownership.idle(slot);
            waiting.extend(self.work.waiting(slot));
            self.partitions.want_needed(slot, |offset| !waiting.contains(&offset));
        }
        self.ownership_changed();
    }

    /// Gives up all that waits in partitions that leave.
    pub(super) fn give_up_waiting(&mut self, slots: &[usize]) {
        for &slot in slots {
            self.partitions.want_nothing(slot);
        }
        self.ownership_changed();
    }

    /// Says what is wanted now, and drops what waits and is not.
    pub(super) fn ownership_changed(&mut self) {
        let holds = self.partitions.holds();
        let dropped = self.work.drop_waiting(|lease| holds.is_needed(lease));
        let slots: BTreeSet<_> = dropped.iter().map(|lease| lease.slot).collect();
        for lease in dropped {
            self.abandon(lease);
        }
        for slot in slots {
            self.has_room_again(slot);
        }
        self.ownership.set(holds);
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
