//! Room for others: what only waits leaves memory where too much does, and is read again in its turn.

use super::Engine;
use crate::consumer::again::{Found, MOST_BYTES};
use crate::consumer::postponed::{MOST_RECORDS, Wanted};
use crate::consumer::recorder::Recorder;
use crate::consumer::work::Work;

/// Records, and bytes of them, that left flight since the loop last looked.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl<'c, W, R> Engine<'c, W, R>
where
    W: Work<'c>,
    R: Recorder<W::Product>,
{
    /// Asks for room where there is none, and where at the pace of the last moment there will be none for long.
    ///
    /// Only a mode that tells what is done beyond a gap gains by it: another would have to keep what it makes there.
    pub(super) fn make_room(&mut self) {
        let Ended { records, bytes } = std::mem::take(&mut self.ended);
        let is_slow = records < self.options.max_in_flight / 2 && bytes < self.options.max_in_flight_bytes / 2;
        if R::TELLS_ALL && is_slow && !self.has_room() && self.may_postpone() {
            tracing::debug!(consumer = self.name, "too much waits: it is postponed");
            self.crowd.ask(true);
            self.work.make_room();
        }
    }

    fn may_postpone(&self) -> bool {
        self.work.postponed() < self.options.max_postponed
    }

    /// Reads again what has its turn, though there be no room: it came before what fills it.
    pub(super) fn read_again(&mut self) {
        if self.has_room() || !self.may_postpone() {
            self.crowd.ask(false);
        }
        let (records, bytes) = self.partitions.load();
        let is_full = records >= self.options.max_in_flight + MOST_RECORDS
            || bytes >= self.options.max_in_flight_bytes + MOST_BYTES;
        if self.draining.is_some() || self.revocation.is_some() || self.again.is_running() || is_full {
            return;
        }
        if let Some(wanted) = self.work.wanted_again() {
            let slot = self.partitions.slot_mut(wanted.slot);
            self.again.begin(wanted, &slot.topic, slot.partition);
        } else if self.work.postponed() == 0 {
            self.again.rest();
        }
    }

    /// Takes what was read again.
    pub(super) fn take_again(&mut self, wanted: &Wanted, found: Found) {
        let Wanted { behind, slot, epoch, .. } = *wanted;
        for record in found.records {
            let bytes = record.size();
            let Some(lease) = self.partitions.lease_again(slot, epoch, record.offset(), bytes) else { return };
            match self.work.take_again(behind, lease, record) {
                Ok(level) => self.level_changed(slot, level),
                Err(lease) => self.partitions.end(lease, false),
            }
        }
        for offset in found.gone {
            let Some(lease) = self.partitions.lease_again(slot, epoch, offset, 0) else { return };
            let gone = self.work.is_gone(behind, lease);
            self.partitions.end(lease, gone.is_ok());
            if let Ok(level) = gone {
                let of = self.partitions.slot_mut(slot);
                tracing::error!(
                    topic = of.topic,
                    partition = of.partition,
                    offset,
                    "a postponed record is not on its topic any more: nothing was done for it"
                );
                self.counters.gone.increment(1);
                self.level_changed(slot, level);
            }
        }
    }
}
