//! The engine's part in spilling: when to begin, what to read again, and what of it is still there.

use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;

use crate::commit::OffsetCommitter;
use crate::engine::Engine;
use crate::scheduler::{Scheduler, SpilledRead};
use crate::spill::index::{READ_MAX_RECORDS, ReadRequest};
use crate::spill::reader::{READ_MAX_BYTES, ReadResult};

/// Records, and bytes of them, that left flight since the last tick.
#[derive(Debug, Default)]
pub(crate) struct DrainRate {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl<'c, S, C> Engine<'c, S, C>
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    /// Spills what is queued where memory is full and, at the rate of the last tick, stays so for long.
    ///
    /// Only where commits name completed offsets: elsewhere what is done beyond a spilled record would have to be kept.
    pub(crate) fn relieve_pressure(&mut self) {
        let DrainRate { records, bytes } = std::mem::take(&mut self.drain_rate);
        let is_slow = records < self.options.max_in_flight / 2 && bytes < self.options.max_in_flight_bytes / 2;
        let may_spill = self.committer.policy().includes_completed_offsets() && self.may_spill();
        if may_spill && is_slow && !self.has_capacity() {
            tracing::debug!(consumer = self.name, "memory is full of records that wait, spilling them");
            self.pressure.set_active(true);
            self.scheduler.relieve_pressure();
        }
    }

    fn may_spill(&self) -> bool {
        self.scheduler.spilled() < self.options.max_spilled
    }

    /// Reads the next spilled records again, also where memory is full: they come before what fills it.
    pub(crate) fn read_spilled(&mut self) {
        if self.has_capacity() || !self.may_spill() {
            self.pressure.set_active(false);
        }
        let (records, bytes) = self.assignment.load();
        let is_full = records >= self.options.max_in_flight + READ_MAX_RECORDS
            || bytes >= self.options.max_in_flight_bytes + READ_MAX_BYTES;
        if self.draining.is_some() || self.revocation.is_some() || self.spill_reader.is_busy() || is_full {
            return;
        }
        if let Some(request) = self.scheduler.next_read() {
            let partition = self.assignment.slot_mut(request.slot);
            self.spill_reader.begin(request, &partition.topic, partition.partition);
        } else if self.scheduler.spilled() == 0 {
            self.spill_reader.close();
        }
    }

    /// Takes the records that were read again, in their order. Those that are not on their topic any more are
    /// dead-lettered by their position: their key and their value are gone.
    pub(crate) fn accept_spilled(&mut self, request: &ReadRequest, result: ReadResult) {
        let state = self.assignment.slot_mut(request.slot);
        let (topic, partition) = (state.topic.clone(), state.partition);
        if let (Some(first), Some(last)) = (result.lost.first(), result.lost.last()) {
            tracing::error!(
                topic,
                partition,
                first,
                last,
                count = result.lost.len(),
                "spilled records are gone from their topic"
            );
        }
        let deleted = result.lost.into_iter().map(|offset| {
            let position =
                OwnedMessage::new(None, None, topic.clone(), Timestamp::NotAvailable, partition, offset, None);
            SpilledRead { record: position.into(), is_deleted: true }
        });
        let read = result.records.into_iter().map(|record| SpilledRead { record, is_deleted: false });
        let mut all: Vec<_> = deleted.chain(read).collect();
        all.sort_by_key(|read| read.record.offset());
        for read in all {
            self.accept_one_spilled(request, read);
        }
    }

    fn accept_one_spilled(&mut self, request: &ReadRequest, read: SpilledRead<'c>) {
        let (offset, bytes) = (read.record.offset(), read.record.size());
        let Some(handle) = self.assignment.reacquire(request.slot, request.epoch, offset, bytes) else { return };
        if let Err(handle) = self.scheduler.accept_spilled(request.reason, handle, read) {
            self.assignment.end(handle, false);
        }
    }
}
