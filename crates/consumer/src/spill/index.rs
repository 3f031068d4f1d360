//! Spilled records that may be read again, and which of them to read next.
//!
//! Their offsets stay open, so that nothing is committed beyond them but completed offsets. Wait reasons take turns, and
//! so do the partitions of each; of a partition the oldest records come first.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::assignment::RecordHandle;
use crate::spill::pressure::MemoryPressure;

/// How many records one read request names at most.
pub(crate) const READ_MAX_RECORDS: usize = 1_000;

/// How far apart, in offsets, the records of one request may lie: what lies between them is fetched too.
const READ_MAX_SPAN: i64 = 20_000;

/// What a spilled record waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum WaitReason {
    /// Nothing: the records before it in its key queue are done.
    Ready,
    /// Capacity in one of the processor's destination queues.
    Destination(usize),
}

/// Records of one partition to read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadRequest {
    pub(crate) reason: WaitReason,
    pub(crate) slot: usize,
    pub(crate) epoch: u32,
    /// In order, at least one.
    pub(crate) offsets: Vec<i64>,
}

/// A spilled record that may be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpilledRecord {
    epoch: u32,
    /// Its key queue.
    pub(crate) key_hash: u64,
    /// Handed back to the processor.
    pub(crate) resume_token: u64,
}

/// The spilled records of one wait reason.
#[derive(Debug, Default)]
struct SpillQueue {
    /// By slot and offset.
    records: BTreeMap<(usize, i64), SpilledRecord>,
    /// The slot whose turn it is, or the next one after it.
    next_slot: usize,
}

impl SpillQueue {
    fn publish(&self, reason: WaitReason, pressure: &MemoryPressure) {
        if let WaitReason::Destination(queue) = reason {
            pressure.set_spilled(queue, !self.records.is_empty());
        }
    }
}

/// The spilled records that may be read again, by what they wait for.
#[derive(Debug)]
pub(crate) struct SpillIndex {
    queues: BTreeMap<WaitReason, SpillQueue>,
    /// Which had the last turn.
    last: Option<WaitReason>,
    pressure: MemoryPressure,
}

impl SpillIndex {
    /// An empty index. It tells `pressure` for which destination queues it has records.
    pub(crate) fn new(pressure: MemoryPressure) -> Self {
        Self { queues: BTreeMap::new(), last: None, pressure }
    }

    /// A record may be read again once what it waits for is there.
    pub(crate) fn insert(&mut self, reason: WaitReason, handle: RecordHandle, key_hash: u64, resume_token: u64) {
        let record = SpilledRecord { epoch: handle.epoch, key_hash, resume_token };
        let queue = self.queues.entry(reason).or_default();
        queue.records.insert((handle.slot, handle.offset), record);
        queue.publish(reason, &self.pressure);
    }

    /// A record that may be read again.
    pub(crate) fn get(&self, reason: WaitReason, handle: RecordHandle) -> Option<SpilledRecord> {
        let records = &self.queues.get(&reason)?.records;
        records.get(&(handle.slot, handle.offset)).copied().filter(|record| record.epoch == handle.epoch)
    }

    /// A record was read again, or may not be any more.
    pub(crate) fn remove(&mut self, reason: WaitReason, handle: RecordHandle) {
        if let Some(queue) = self.queues.get_mut(&reason) {
            queue.records.remove(&(handle.slot, handle.offset));
            queue.publish(reason, &self.pressure);
        }
    }

    /// Drops the records of partitions that are no longer owned.
    pub(crate) fn retain(&mut self, is_owned: impl Fn(RecordHandle) -> bool) {
        for (&reason, queue) in &mut self.queues {
            let handle = |slot, offset, epoch| RecordHandle { slot, epoch, offset, bytes: 0 };
            queue.records.retain(|&(slot, offset), record| is_owned(handle(slot, offset, record.epoch)));
            queue.publish(reason, &self.pressure);
        }
    }

    /// What to read again now. `capacity` says how many records a destination queue has capacity for.
    pub(crate) fn next(&mut self, capacity: impl Fn(usize) -> usize) -> Option<ReadRequest> {
        let capacity = |reason| match reason {
            WaitReason::Ready => READ_MAX_RECORDS,
            WaitReason::Destination(queue) => capacity(queue).min(READ_MAX_RECORDS),
        };
        let later = (self.last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut in_turn = self.queues.range(later).chain(&self.queues);
        let (&reason, _) = in_turn.find(|(reason, queue)| !queue.records.is_empty() && capacity(**reason) > 0)?;
        self.last = Some(reason);
        let queue = self.queues.get_mut(&reason)?;
        let from = (queue.next_slot, i64::MIN);
        let (&(slot, first), &SpilledRecord { epoch, .. }) =
            queue.records.range(from..).next().or_else(|| queue.records.first_key_value())?;
        queue.next_slot = slot + 1;
        let near = queue.records.range((slot, first)..=(slot, first.saturating_add(READ_MAX_SPAN)));
        let offsets = near.filter(|(_, record)| record.epoch == epoch).map(|(&(_, offset), _)| offset);
        let offsets = offsets.take(capacity(reason)).collect();
        Some(ReadRequest { reason, slot, epoch, offsets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(slot: usize, offset: i64) -> RecordHandle {
        RecordHandle { slot, epoch: 1, offset, bytes: 0 }
    }

    fn wanted(reason: WaitReason, slot: usize, offsets: &[i64]) -> ReadRequest {
        ReadRequest { reason, slot, epoch: 1, offsets: offsets.to_vec() }
    }

    #[test]
    fn queues_and_partitions_take_turns_within_capacity() {
        let (slow, slower) = (WaitReason::Destination(1), WaitReason::Destination(2));
        let mut spilled = SpillIndex::new(MemoryPressure::default());
        for offset in [7, 5, 9] {
            for slot in [0, 1] {
                spilled.insert(slow, handle(slot, offset), 3, 0);
            }
            spilled.insert(slower, handle(0, offset + 100), 4, 0);
        }
        spilled.insert(WaitReason::Ready, handle(3, 1), 8, 6);
        let room = |queue| if queue == 1 { 2 } else { 1 };
        let turns: Vec<_> = (0..6).map(|_| spilled.next(room)).collect();
        assert_eq!(
            turns[..3],
            [Some(wanted(WaitReason::Ready, 3, &[1])), Some(wanted(slow, 0, &[5, 7])), Some(wanted(slower, 0, &[105]))]
        );
        assert_eq!(turns[3], turns[0]);
        assert_eq!(turns[4], Some(wanted(slow, 1, &[5, 7])));

        let offer =
            |spilled: &SpillIndex, epoch| spilled.get(WaitReason::Ready, RecordHandle { epoch, ..handle(3, 1) });
        assert_eq!(offer(&spilled, 1), Some(SpilledRecord { epoch: 1, key_hash: 8, resume_token: 6 }));
        assert_eq!(offer(&spilled, 2), None, "another epoch's");
        spilled.remove(WaitReason::Ready, handle(3, 1));
        assert_eq!(offer(&spilled, 1), None);
        assert_eq!(spilled.next(|queue| usize::from(queue == 2)), Some(wanted(slower, 0, &[105])));
        assert_eq!(spilled.next(|_| 0), None);
    }

    #[test]
    fn records_far_apart_are_read_separately() {
        let mut spilled = SpillIndex::new(MemoryPressure::default());
        for offset in [0, 20_000, 20_001] {
            spilled.insert(WaitReason::Ready, handle(0, offset), 3, 0);
        }
        assert_eq!(spilled.next(|_| 0), Some(wanted(WaitReason::Ready, 0, &[0, 20_000])));
    }

    #[test]
    fn records_of_revoked_partitions_are_dropped() {
        let mut spilled = SpillIndex::new(MemoryPressure::default());
        spilled.insert(WaitReason::Destination(1), handle(0, 5), 3, 0);
        spilled.insert(WaitReason::Destination(1), handle(1, 5), 3, 0);
        spilled.retain(|handle| handle.slot == 1);
        assert_eq!(spilled.next(|_| 9), Some(wanted(WaitReason::Destination(1), 1, &[5])));
    }
}
