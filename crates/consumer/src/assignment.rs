//! The assignment of this member, and how far each partition is done.
//!
//! Every assignment of a partition begins a new *epoch*. A record carries the epoch it was polled in; what completes under
//! an older one no longer counts, because the partition may have another owner by now.

pub(crate) mod watch;

use millrace_domain::RecordCount;
use millrace_domain::record_count::metadata;
use rdkafka::TopicPartitionList;

use crate::assignment::watch::Assigned;
use crate::commit::CommitPolicy;
use crate::offset_map::{CompletedOffsets, Ledger};
use crate::progress::Progress;
use crate::start_offsets::StartOffset;

/// A record in flight: its partition, epoch and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHandle {
    pub(crate) slot: usize,
    pub(crate) epoch: u32,
    pub(crate) offset: i64,
    pub(crate) bytes: usize,
}

/// Whether records of a partition are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AssignmentState {
    /// Records are taken.
    Active,
    /// It is owned, and its start offset is being looked up again: what is polled meanwhile is dropped.
    Seeking,
    /// It was revoked: what is in flight is finished, nothing new is taken.
    Draining,
    /// Another member's.
    Revoked,
}

/// One partition this member owns or once owned.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    state: AssignmentState,
    epoch: u32,
    ledger: Ledger,
    /// Counts its records as they are read; continues where the log was truncated.
    count: RecordCount,
    /// Whether the client's position is known to be of this epoch, and not left over from an older one.
    is_position_fresh: bool,
    /// The offset known to be committed, or where reading began.
    committed: Option<i64>,
    /// Records in flight under the current epoch.
    in_flight: usize,
    /// How many records were completed in the current epoch, and how many of them the last commit includes.
    done: u64,
    done_committed: u64,
    /// Whether tasks of it may start.
    may_start: bool,
    /// How many of its queues are full.
    pub(crate) full_queues: usize,
}

/// The partitions this member owns or once owned.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    /// Whether commits name the offsets completed beyond the low watermark.
    commits_completed_offsets: bool,
    /// Whether commits carry the count of records below the low watermark.
    commits_counts: bool,
    slots: Vec<PartitionState>,
    last_found: usize,
    records: usize,
    bytes: usize,
    restarted: bool,
}

impl Assignment {
    /// An empty assignment whose offsets are committed by this policy.
    pub(crate) fn new(policy: CommitPolicy) -> Self {
        Self { commits_completed_offsets: policy.includes_completed_offsets(), commits_counts: true, ..Self::default() }
    }

    /// From now on commits carry no metadata, only low watermarks.
    pub(crate) fn commit_watermarks_only(&mut self) {
        self.commits_completed_offsets = false;
        self.commits_counts = false;
    }

    /// Begins an epoch of a partition at its start offset.
    pub(crate) fn assign(&mut self, topic: &str, partition: i32, start: StartOffset) -> usize {
        let index = self.find(topic, partition).unwrap_or_else(|| {
            self.slots.push(PartitionState {
                topic: topic.to_owned(),
                partition,
                state: AssignmentState::Revoked,
                epoch: 0,
                ledger: Ledger::default(),
                count: RecordCount::default(),
                is_position_fresh: false,
                committed: None,
                in_flight: 0,
                done: 0,
                done_committed: 0,
                may_start: false,
                full_queues: 0,
            });
            self.slots.len() - 1
        });
        self.begin_epoch(index);
        let slot = &mut self.slots[index];
        slot.state = AssignmentState::Active;
        match start {
            StartOffset::Unknown => slot.count = RecordCount::resume_anywhere(0),
            StartOffset::Stored { offset, records } => {
                slot.count = RecordCount::resume(offset, records);
                slot.ledger = Ledger::resume(CompletedOffsets::below(offset));
            }
            StartOffset::Committed { done, records } => {
                slot.count = RecordCount::resume(done.frontier(), records);
                slot.committed = Some(done.frontier());
                slot.ledger = Ledger::resume(done);
            }
        }
        index
    }

    fn begin_epoch(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.epoch += 1;
        slot.ledger = Ledger::default();
        slot.is_position_fresh = false;
        slot.committed = None;
        slot.in_flight = 0;
        slot.done = 0;
        slot.done_committed = 0;
        slot.may_start = true;
    }

    /// Stops taking records of a partition; what is in flight may still finish.
    pub(crate) fn drain(&mut self, topic: &str, partition: i32) -> Option<usize> {
        let index = self.find(topic, partition)?;
        self.slots[index].state = AssignmentState::Draining;
        Some(index)
    }

    /// Ends a partition's epoch: what completes from now on does not count.
    pub(crate) fn release(&mut self, index: usize) {
        self.begin_epoch(index);
        self.slots[index].state = AssignmentState::Revoked;
        self.slots[index].may_start = false;
    }

    /// Takes a polled record. `None` where the partition is not (or no longer) active, or the record is completed already.
    pub(crate) fn acquire(&mut self, topic: &str, partition: i32, offset: i64, bytes: usize) -> Option<RecordHandle> {
        let index = self.find(topic, partition)?;
        if self.slots[index].state != AssignmentState::Active {
            return None;
        }
        let mut is_first = self.slots[index].ledger.frontier().is_none();
        let is_new = if let Ok(is_new) = self.slots[index].ledger.open(offset) {
            is_new
        } else {
            // The log was truncated and reading began again further back: an epoch of its own.
            let slot = &mut self.slots[index];
            slot.count = RecordCount::resume_anywhere(slot.committed.map_or(0, |offset| slot.count.below(offset)));
            self.begin_epoch(index);
            self.restarted = true;
            is_first = true;
            self.slots[index].ledger.open(offset).ok()?
        };
        let slot = &mut self.slots[index];
        slot.count.add(offset);
        slot.is_position_fresh = true;
        if is_first {
            slot.committed = Some(offset);
        }
        if !is_new {
            return None;
        }
        slot.in_flight += 1;
        self.records += 1;
        self.bytes += bytes;
        Some(RecordHandle { slot: index, epoch: slot.epoch, offset, bytes })
    }

    /// Takes a spilled record again. `None` where its partition is not active any more, or in another epoch.
    pub(crate) fn reacquire(&mut self, index: usize, epoch: u32, offset: i64, bytes: usize) -> Option<RecordHandle> {
        let slot = self.slots.get_mut(index)?;
        if slot.state != AssignmentState::Active || slot.epoch != epoch {
            return None;
        }
        slot.in_flight += 1;
        self.records += 1;
        self.bytes += bytes;
        Some(RecordHandle { slot: index, epoch, offset, bytes })
    }

    /// Notes the client's position in a partition: every record below it was taken, and what else lies there is no record.
    /// `None` where the client has delivered nothing since the partition was assigned.
    pub(crate) fn reached(&mut self, topic: &str, partition: i32, position: Option<i64>) {
        let Some(index) = self.find(topic, partition) else { return };
        let slot = &mut self.slots[index];
        // What is polled of a draining partition is dropped, not taken.
        if slot.state != AssignmentState::Active {
            return;
        }
        match position {
            None => slot.is_position_fresh = true,
            Some(position) if slot.is_position_fresh => {
                slot.ledger.skip_to(position);
                slot.count.skip_to(position);
            }
            Some(_) => {}
        }
    }

    /// Whether an epoch began since the last call because a log was truncated.
    pub(crate) fn take_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// A record left flight. Where `done`, it counts: it was processed, or its dead letter acknowledged.
    pub(crate) fn end(&mut self, handle: RecordHandle, done: bool) {
        self.records -= 1;
        self.bytes -= handle.bytes;
        let slot = &mut self.slots[handle.slot];
        if slot.epoch != handle.epoch {
            return;
        }
        slot.in_flight -= 1;
        slot.done += u64::from(done);
        if done && let Err(error) = slot.ledger.close(handle.offset) {
            tracing::error!(%error, topic = slot.topic, partition = slot.partition, "completed a record that was not open");
        }
    }

    /// Frontiers with more done than is committed, of partitions that may still be committed.
    pub(crate) fn uncommitted(&self) -> Vec<Frontier> {
        let slots = self.slots.iter().enumerate().filter(|(_, slot)| slot.state != AssignmentState::Revoked);
        slots
            .filter_map(|(index, slot)| {
                let offset = slot.ledger.frontier()?;
                let is_beyond = slot.committed.is_none_or(|committed| offset > committed);
                let is_more = self.commits_completed_offsets && slot.done > slot.done_committed;
                let frontier = Frontier { slot: index, epoch: slot.epoch, offset, done: slot.done };
                (is_beyond || is_more).then_some(frontier)
            })
            .collect()
    }

    /// Notes that a frontier is committed; an older epoch's is ignored.
    pub(crate) fn committed(&mut self, frontier: Frontier, progress: &Progress) {
        let slot = &mut self.slots[frontier.slot];
        if slot.epoch == frontier.epoch {
            slot.committed = Some(frontier.offset);
            slot.done_committed = frontier.done;
            slot.count.settle(frontier.offset);
            progress.set_position(&slot.topic, slot.partition, frontier.offset);
        }
    }

    /// The owned partitions and their committed offsets: topic, partition, offset. Where nothing is committed, it is where
    /// reading began.
    pub(crate) fn committed_offsets(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        let owned = self.slots.iter().filter(|slot| is_owned(slot.state));
        owned.filter_map(|slot| {
            let committed = slot.committed.or_else(|| slot.ledger.frontier())?;
            Some((slot.topic.as_str(), slot.partition, committed))
        })
    }

    /// The current epoch of a slot; 0 where there is none.
    pub(crate) fn epoch(&self, index: usize) -> u32 {
        self.slots.get(index).map_or(0, |slot| slot.epoch)
    }

    /// Takes nothing of a partition any more until it is [assigned](Self::assign) anew, unless that has happened since the
    /// record was taken.
    pub(crate) fn set_offset_mismatch(&mut self, handle: RecordHandle) {
        let slot = &self.slots[handle.slot];
        if slot.state == AssignmentState::Active && slot.epoch == handle.epoch {
            self.begin_epoch(handle.slot);
            self.slots[handle.slot].may_start = false;
            self.slots[handle.slot].state = AssignmentState::Seeking;
        }
    }

    /// Owned partitions whose start offsets are to be looked up again.
    pub(crate) fn mismatched_slots(&self) -> Vec<usize> {
        self.slots_with(|state| state == AssignmentState::Seeking)
    }

    /// The partitions of which tasks may start, each in its epoch.
    pub(crate) fn assigned(&self) -> Assigned {
        Assigned(self.slots.iter().map(|slot| slot.may_start.then_some(slot.epoch)).collect())
    }

    /// No more tasks of a partition start.
    pub(crate) fn stop_new_work(&mut self, index: usize) {
        self.slots[index].may_start = false;
    }

    /// How many records a partition has in flight.
    pub(crate) fn in_flight(&self, index: usize) -> usize {
        self.slots[index].in_flight
    }

    /// Whether uncommitted progress of a partition remains.
    pub(crate) fn has_uncommitted(&self, index: usize) -> bool {
        self.uncommitted().iter().any(|frontier| frontier.slot == index)
    }

    /// Records and bytes in flight, of all partitions and epochs.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.records, self.bytes)
    }

    /// How many partitions are owned.
    pub(crate) fn owned(&self) -> usize {
        self.owned_slots().len()
    }

    /// A partition, by index.
    pub(crate) fn slot_mut(&mut self, index: usize) -> &mut PartitionState {
        &mut self.slots[index]
    }

    /// Whether a partition is owned.
    pub(crate) fn is_owned(&self, index: usize) -> bool {
        is_owned(self.slots[index].state)
    }

    /// Indexes of all partitions that are owned.
    pub(crate) fn owned_slots(&self) -> Vec<usize> {
        self.slots_with(is_owned)
    }

    fn slots_with(&self, state: impl Fn(AssignmentState) -> bool) -> Vec<usize> {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| state(slot.state)).map(|(index, _)| index).collect()
    }

    /// Partitions by index, as librdkafka takes them.
    pub(crate) fn list(&self, indexes: &[usize]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(indexes.len());
        for &index in indexes {
            list.add_partition(&self.slots[index].topic, self.slots[index].partition);
        }
        list
    }

    /// Frontiers as librdkafka takes them.
    pub(crate) fn offsets(&self, frontiers: &[Frontier]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(frontiers.len());
        for frontier in frontiers {
            let slot = &self.slots[frontier.slot];
            let mut element = list.add_partition(&slot.topic, slot.partition);
            if let Err(error) = element.set_offset(rdkafka::Offset::Offset(frontier.offset)) {
                tracing::error!(%error, "offset cannot be committed");
            }
            if self.commits_counts {
                let done = if self.commits_completed_offsets { slot.ledger.done() } else { None };
                let done = done.map(|done| done.encode_metadata_that_fits()).unwrap_or_default();
                element.set_metadata(metadata(frontier.offset, slot.count.below(frontier.offset), &done));
            }
        }
        list
    }

    /// Records come in runs of one partition: the last one found is tried first.
    fn find(&mut self, topic: &str, partition: i32) -> Option<usize> {
        let is = |slot: &PartitionState| slot.partition == partition && slot.topic == topic;
        if !self.slots.get(self.last_found).is_some_and(is) {
            self.last_found = self.slots.iter().position(is)?;
        }
        Some(self.last_found)
    }
}

fn is_owned(state: AssignmentState) -> bool {
    matches!(state, AssignmentState::Active | AssignmentState::Seeking)
}

/// An offset to commit, and the epoch it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frontier {
    pub(crate) slot: usize,
    pub(crate) epoch: u32,
    pub(crate) offset: i64,
    /// How many records of the epoch were done by then.
    pub(crate) done: u64,
}

#[cfg(test)]
mod tests {
    use millrace_domain::record_count::read_metadata;

    use super::*;

    fn offsets(assignment: &Assignment) -> Vec<i64> {
        assignment.uncommitted().iter().map(|frontier| frontier.offset).collect()
    }

    #[test]
    fn only_the_low_watermark_is_committed() {
        let mut assignment = Assignment::default();
        assignment.assign("orders", 0, StartOffset::Unknown);
        let [first, second, third] = [10, 11, 12].map(|offset| assignment.acquire("orders", 0, offset, 100).unwrap());
        assignment.end(third, true);
        assert_eq!(offsets(&assignment), [] as [i64; 0]);
        assignment.end(first, true);
        assert_eq!(offsets(&assignment), [11]);
        assignment.end(second, true);
        assert_eq!(offsets(&assignment), [13]);
        assert_eq!(assignment.load(), (0, 0));
    }

    #[test]
    fn a_completion_of_an_older_epoch_does_not_count() {
        let mut assignment = Assignment::default();
        let slot = assignment.assign("orders", 0, StartOffset::Unknown);
        let old = assignment.acquire("orders", 0, 10, 100).unwrap();
        assignment.release(slot);
        assert_eq!(assignment.acquire("orders", 0, 11, 100), None, "nothing is taken from a partition that is gone");
        assignment.assign("orders", 0, StartOffset::Unknown);
        let new = assignment.acquire("orders", 0, 10, 100).unwrap();
        assignment.end(old, true);
        assert_eq!(offsets(&assignment), [] as [i64; 0]);
        assert_eq!(assignment.load(), (1, 100));
        assignment.end(new, true);
        assert_eq!(offsets(&assignment), [11]);
    }

    #[test]
    fn a_draining_partition_finishes_but_takes_nothing() {
        let mut assignment = Assignment::default();
        let slot = assignment.assign("orders", 3, StartOffset::Unknown);
        let handle = assignment.acquire("orders", 3, 0, 1).unwrap();
        assert_eq!(assignment.drain("orders", 3), Some(slot));
        assert_eq!(assignment.acquire("orders", 3, 1, 1), None);
        assignment.end(handle, true);
        assert_eq!(assignment.in_flight(slot), 0);
        assert!(assignment.has_uncommitted(slot));
    }

    #[test]
    fn transaction_markers_count_once_the_client_passed_them() {
        let mut assignment = Assignment::default();
        assignment.assign("payments", 0, StartOffset::Unknown);
        assignment.reached("payments", 0, None);
        assignment.reached("payments", 0, Some(3));
        assert_eq!(offsets(&assignment), [3], "markers alone");
        let handle = assignment.acquire("payments", 0, 3, 1).unwrap();
        assignment.reached("payments", 0, Some(5));
        assert_eq!(offsets(&assignment), [3], "a record is open below");
        assignment.end(handle, true);
        assert_eq!(offsets(&assignment), [5]);
    }

    #[test]
    fn a_position_of_an_older_epoch_does_not_count() {
        let mut assignment = Assignment::default();
        let slot = assignment.assign("payments", 0, StartOffset::Unknown);
        assignment.acquire("payments", 0, 7, 1).unwrap();
        assignment.release(slot);
        assignment.assign("payments", 0, StartOffset::Unknown);
        assignment.reached("payments", 0, Some(8));
        assert_eq!(offsets(&assignment), [] as [i64; 0]);
        assignment.drain("payments", 0);
        assignment.reached("payments", 0, None);
        assignment.reached("payments", 0, Some(8));
        assert_eq!(offsets(&assignment), [] as [i64; 0]);
    }

    #[test]
    fn completed_offsets_are_committed_and_not_taken_again() {
        let mut assignment = Assignment::new(CommitPolicy::Interval);
        assignment.assign("orders", 0, StartOffset::Committed { done: CompletedOffsets::below(10), records: 4 });
        assert_eq!(offsets(&assignment), [] as [i64; 0], "nothing is new");
        let [first, second, third] = [10, 11, 12].map(|offset| assignment.acquire("orders", 0, offset, 1).unwrap());
        assignment.end(second, true);
        assignment.end(third, true);
        let frontiers = assignment.uncommitted();
        assert_eq!(frontiers.iter().map(|frontier| frontier.offset).collect::<Vec<_>>(), [10]);
        let list = assignment.offsets(&frontiers);
        let text = list.elements()[0].metadata().to_owned();
        assignment.committed(frontiers[0], &Progress::default());
        assert_eq!(assignment.uncommitted(), [], "it is committed once");
        assignment.end(first, false);

        let mut next = Assignment::new(CommitPolicy::Interval);
        let (records, done) = read_metadata(10, &text);
        assert_eq!(records, 4);
        let done = CompletedOffsets::read(10, done).unwrap();
        next.assign("orders", 0, StartOffset::Committed { done, records });
        assert_eq!(next.uncommitted(), []);
        let again = next.acquire("orders", 0, 10, 1).unwrap();
        assert_eq!([11, 12].map(|offset| next.acquire("orders", 0, offset, 1)), [None, None]);
        assert!(next.acquire("orders", 0, 13, 1).is_some());
        next.end(again, true);
        assert_eq!(offsets(&next), [13]);
    }

    #[test]
    fn commits_count_records_and_not_offsets() {
        let mut assignment = Assignment::new(CommitPolicy::Transaction);
        assignment.assign("payments", 0, StartOffset::Committed { done: CompletedOffsets::below(10), records: 4 });
        let first = assignment.acquire("payments", 0, 10, 1).unwrap();
        let second = assignment.acquire("payments", 0, 12, 1).unwrap();
        assignment.reached("payments", 0, Some(14));
        let committed = |assignment: &mut Assignment| {
            let frontiers = assignment.uncommitted();
            let list = assignment.offsets(&frontiers);
            for frontier in frontiers {
                assignment.committed(frontier, &Progress::default());
            }
            list.elements()[0].metadata().to_owned()
        };
        assignment.end(first, true);
        assert_eq!(committed(&mut assignment), "records:12:5", "a marker stands at 11");
        assignment.end(second, true);
        assert_eq!(committed(&mut assignment), "records:14:6");
        assignment.commit_watermarks_only();
        let third = assignment.acquire("payments", 0, 14, 1).unwrap();
        assignment.end(third, true);
        assert_eq!(committed(&mut assignment), "", "the broker has no room for it");
    }

    #[test]
    fn a_truncated_log_is_read_from_its_beginning() {
        let mut assignment = Assignment::default();
        assignment.assign("orders", 0, StartOffset::Unknown);
        let before = assignment.acquire("orders", 0, 100, 1).unwrap();
        let after = assignment.acquire("orders", 0, 5, 1).unwrap();
        assignment.end(before, true);
        assert_eq!(offsets(&assignment), [] as [i64; 0]);
        assignment.end(after, true);
        assert_eq!(offsets(&assignment), [6]);
    }
}
