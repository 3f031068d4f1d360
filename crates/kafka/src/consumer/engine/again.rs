//! Room for others: what only waits leaves memory where too much does, and is read again in its turn.

use super::Engine;
use crate::consumer::again::{Found, MOST_BYTES};
use crate::consumer::offers::{MOST_RECORDS, Wanted};
use crate::consumer::recorder::Recorder;
use crate::consumer::work::Work;
use crate::record::Record;

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
        if self.draining.is_some() || self.revocation.is_some() || self.again.is_busy() || is_full {
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
        for record in found.records {
            self.take_one_again(wanted, record.offset(), Some(record));
        }
        let gone: Vec<i64> =
            found.gone.into_iter().filter(|&offset| self.take_one_again(wanted, offset, None)).collect();
        if let (Some(first), Some(last)) = (gone.first(), gone.last()) {
            let slot = self.partitions.slot_mut(wanted.slot);
            let (topic, partition, count) = (&slot.topic, slot.partition, gone.len());
            tracing::error!(
                topic,
                partition,
                first,
                last,
                count,
                "postponed records are not on their topic any more: nothing was done for them"
            );
            self.counters.gone.increment(count as u64);
        }
    }

    /// Takes a record that was read again, or counts one as done that is not on its topic any more. Whether it was wanted.
    fn take_one_again(&mut self, wanted: &Wanted, offset: i64, record: Option<Record<'c>>) -> bool {
        let (bytes, is_gone) = (record.as_ref().map_or(0, Record::size), record.is_none());
        let Some(lease) = self.partitions.lease_again(wanted.slot, wanted.epoch, offset, bytes) else { return false };
        let taken = self.work.take_again(wanted.behind, lease, record).is_ok();
        if is_gone || !taken {
            self.partitions.end(lease, taken);
        }
        taken
    }
}
