//! The assignment of this member, and how far each partition is done.
//!
//! Every assignment of a partition begins a new *epoch*. A record carries the epoch it was polled in; what completes under
//! an older one no longer counts, because the partition may have another owner by now.

mod partition;
pub(crate) mod watch;

use rdkafka::TopicPartitionList;

use self::partition::{AssignedPartition, DrainingPartition, EpochProgress, Watermark};
use crate::assignment::watch::{AssignmentWatch, CurrentEpochs};
use crate::commit::CommitPolicy;
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

/// Whose a partition is, and what may be done with it.
#[derive(Debug)]
enum State {
    /// Records are taken.
    Assigned(AssignedPartition),
    /// It is owned, and its start offset is being looked up again: what is polled meanwhile is dropped.
    Seeking,
    /// It is given back, or the consumer stops: what is in flight is finished and committed.
    Draining(DrainingPartition),
    /// Another member's.
    Revoked,
}

impl State {
    fn progress(&self) -> Option<&EpochProgress> {
        match self {
            Self::Assigned(partition) => Some(partition.progress()),
            Self::Draining(partition) => Some(partition.progress()),
            Self::Seeking | Self::Revoked => None,
        }
    }

    fn progress_mut(&mut self) -> Option<&mut EpochProgress> {
        match self {
            Self::Assigned(partition) => Some(partition.progress_mut()),
            Self::Draining(partition) => Some(partition.progress_mut()),
            Self::Seeking | Self::Revoked => None,
        }
    }

    fn is_owned(&self) -> bool {
        match self {
            Self::Assigned(_) | Self::Seeking => true,
            Self::Draining(partition) => partition.is_owned(),
            Self::Revoked => false,
        }
    }
}

/// One partition this member owns or once owned.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    epoch: u32,
    state: State,
    /// How many of its queues are full.
    pub(crate) full_queues: usize,
}

impl Slot {
    /// Another epoch begins.
    fn enter(&mut self, state: State) {
        self.epoch += 1;
        self.state = state;
    }

    /// Nothing is taken any more; `is_owned` where it is not revoked.
    fn drain(&mut self, is_owned: bool) {
        self.state = match std::mem::replace(&mut self.state, State::Revoked) {
            State::Assigned(partition) => State::Draining(partition.drain(is_owned)),
            State::Draining(partition) => State::Draining(partition.drain(is_owned)),
            // Nothing of it is in flight that counts.
            State::Seeking | State::Revoked => State::Revoked,
        };
    }

    /// The progress of this epoch, if it is the current one.
    fn progress_of(&mut self, epoch: u32) -> Option<&mut EpochProgress> {
        if self.epoch == epoch { self.state.progress_mut() } else { None }
    }
}

/// The partitions this member owns or once owned.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    /// Whether commits name the offsets completed beyond the low watermark.
    commits_completed_offsets: bool,
    /// Whether commits carry the count of records below the low watermark.
    commits_counts: bool,
    slots: Vec<Slot>,
    last_found: usize,
    records: usize,
    bytes: usize,
    restarted: bool,
    watch: AssignmentWatch,
}

impl Assignment {
    /// An empty assignment whose offsets are committed by this policy; `watch` shows it to tasks.
    pub(crate) fn new(policy: CommitPolicy, watch: AssignmentWatch) -> Self {
        let commits_completed_offsets = policy.includes_completed_offsets();
        Self { commits_completed_offsets, commits_counts: true, watch, ..Self::default() }
    }

    /// From now on commits carry no metadata, only low watermarks.
    pub(crate) fn commit_watermarks_only(&mut self) {
        self.commits_completed_offsets = false;
        self.commits_counts = false;
    }

    /// Begins an epoch of a partition at its start offset.
    pub(crate) fn assign(&mut self, topic: &str, partition: i32, start: StartOffset) -> usize {
        let index = self.find(topic, partition).unwrap_or_else(|| {
            let (topic, state) = (topic.to_owned(), State::Revoked);
            self.slots.push(Slot { topic, partition, epoch: 0, state, full_queues: 0 });
            self.slots.len() - 1
        });
        self.slots[index].enter(State::Assigned(AssignedPartition::at(start)));
        index
    }

    /// Takes nothing of a partition any more; what is in flight may still finish.
    pub(crate) fn drain(&mut self, topic: &str, partition: i32) -> Option<usize> {
        let index = self.find(topic, partition)?;
        self.slots[index].drain(false);
        Some(index)
    }

    /// The same, of all partitions that are assigned: they stay this member's until they are revoked.
    pub(crate) fn drain_all(&mut self) {
        let assigned = self.slots.iter_mut().filter(|slot| slot.state.is_owned());
        assigned.for_each(|slot| slot.drain(true));
    }

    /// Ends a partition's epoch: what completes from now on does not count.
    pub(crate) fn release(&mut self, index: usize) {
        self.slots[index].enter(State::Revoked);
    }

    /// Takes a polled record. `None` where the partition is not (or no longer) assigned, or the record is done already.
    pub(crate) fn acquire(&mut self, topic: &str, partition: i32, offset: i64, bytes: usize) -> Option<RecordHandle> {
        let index = self.find(topic, partition)?;
        let slot = &mut self.slots[index];
        let State::Assigned(assigned) = &mut slot.state else { return None };
        let is_new = if let Ok(is_new) = assigned.take(offset) {
            is_new
        } else {
            // The log was truncated and reading began again further back: an epoch of its own.
            let mut restarted = assigned.restarted();
            let taken = restarted.take(offset);
            slot.enter(State::Assigned(restarted));
            self.restarted = true;
            taken.ok()?
        };
        let epoch = slot.epoch;
        is_new.then(|| self.in_flight_from(RecordHandle { slot: index, epoch, offset, bytes }))
    }

    /// Takes a spilled record again. `None` where its partition is not assigned any more, or in another epoch.
    pub(crate) fn reacquire(&mut self, index: usize, epoch: u32, offset: i64, bytes: usize) -> Option<RecordHandle> {
        let slot = self.slots.get_mut(index).filter(|slot| slot.epoch == epoch)?;
        let State::Assigned(assigned) = &mut slot.state else { return None };
        assigned.take_again();
        Some(self.in_flight_from(RecordHandle { slot: index, epoch, offset, bytes }))
    }

    fn in_flight_from(&mut self, handle: RecordHandle) -> RecordHandle {
        self.records += 1;
        self.bytes += handle.bytes;
        handle
    }

    /// Notes the client's position in a partition: every record below it was taken, and what else lies there is no record.
    /// `None` where the client has delivered nothing since the partition was assigned.
    pub(crate) fn reached(&mut self, topic: &str, partition: i32, position: Option<i64>) {
        // What is polled of a draining partition is dropped, not taken.
        if let Some(index) = self.find(topic, partition)
            && let State::Assigned(assigned) = &mut self.slots[index].state
        {
            assigned.reached(position);
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
        let Some(progress) = slot.progress_of(handle.epoch) else { return };
        if let Err(error) = progress.end(handle.offset, done) {
            tracing::error!(%error, topic = slot.topic, partition = slot.partition, "completed a record that was not open");
        }
    }

    /// Frontiers with more done than is committed, of partitions that may still be committed.
    pub(crate) fn uncommitted(&self) -> Vec<Frontier> {
        let frontier = |(slot, state): (usize, &Slot)| {
            let watermark = state.state.progress()?.uncommitted(self.commits_completed_offsets)?;
            Some(Frontier { slot, epoch: state.epoch, offset: watermark.offset, done: watermark.done })
        };
        self.slots.iter().enumerate().filter_map(frontier).collect()
    }

    /// Notes that a frontier is committed; an older epoch's is ignored.
    pub(crate) fn committed(&mut self, frontier: Frontier, progress: &Progress) {
        let Frontier { epoch, offset, done, .. } = frontier;
        let slot = &mut self.slots[frontier.slot];
        if let Some(of_epoch) = slot.progress_of(epoch) {
            of_epoch.set_committed(Watermark { offset, done });
            progress.set_position(&slot.topic, slot.partition, offset);
        }
    }

    /// The owned partitions and their committed offsets: topic, partition, offset. Where nothing is committed, it is where
    /// reading began.
    pub(crate) fn committed_offsets(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        let owned = self.slots.iter().filter(|slot| slot.state.is_owned());
        owned.filter_map(|slot| Some((slot.topic.as_str(), slot.partition, slot.state.progress()?.committed()?)))
    }

    /// The current epoch of a slot; 0 where there is none.
    pub(crate) fn epoch(&self, index: usize) -> u32 {
        self.slots.get(index).map_or(0, |slot| slot.epoch)
    }

    /// Takes nothing of a partition any more until it is [assigned](Self::assign) anew, unless that has happened since the
    /// record was taken.
    pub(crate) fn set_offset_mismatch(&mut self, handle: RecordHandle) {
        let slot = &mut self.slots[handle.slot];
        if matches!(slot.state, State::Assigned(_)) && slot.epoch == handle.epoch {
            slot.enter(State::Seeking);
        }
    }

    /// Owned partitions whose start offsets are to be looked up again.
    pub(crate) fn mismatched_slots(&self) -> Vec<usize> {
        self.slots_with(|state| matches!(state, State::Seeking))
    }

    /// The partitions of which tasks may start, each in its epoch.
    pub(crate) fn assigned(&self) -> CurrentEpochs {
        let epoch = |slot: &Slot| matches!(slot.state, State::Assigned(_)).then_some(slot.epoch);
        CurrentEpochs(self.slots.iter().map(epoch).collect())
    }

    /// Shows tasks what is [assigned](Self::assigned) now.
    pub(crate) fn publish(&self, assigned: CurrentEpochs) {
        self.watch.set(assigned);
    }

    /// How many records a partition has in flight.
    pub(crate) fn in_flight(&self, index: usize) -> usize {
        self.slots[index].state.progress().map_or(0, EpochProgress::in_flight)
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
    pub(crate) fn slot_mut(&mut self, index: usize) -> &mut Slot {
        &mut self.slots[index]
    }

    /// Whether a partition is owned.
    pub(crate) fn is_owned(&self, index: usize) -> bool {
        self.slots[index].state.is_owned()
    }

    /// Indexes of all partitions that are owned.
    pub(crate) fn owned_slots(&self) -> Vec<usize> {
        self.slots_with(State::is_owned)
    }

    fn slots_with(&self, is: impl Fn(&State) -> bool) -> Vec<usize> {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| is(&slot.state)).map(|(index, _)| index).collect()
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
            if let Some(progress) = slot.state.progress().filter(|_| self.commits_counts) {
                element.set_metadata(progress.metadata(frontier.offset, self.commits_completed_offsets));
            }
        }
        list
    }

    /// Records come in runs of one partition: the last one found is tried first.
    fn find(&mut self, topic: &str, partition: i32) -> Option<usize> {
        let is = |slot: &Slot| slot.partition == partition && slot.topic == topic;
        if !self.slots.get(self.last_found).is_some_and(is) {
            self.last_found = self.slots.iter().position(is)?;
        }
        Some(self.last_found)
    }
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
    use crate::offset_map::CompletedOffsets;

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
        let mut assignment = Assignment::new(CommitPolicy::Interval, AssignmentWatch::default());
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

        let mut next = Assignment::new(CommitPolicy::Interval, AssignmentWatch::default());
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
        let mut assignment = Assignment::new(CommitPolicy::Transaction, AssignmentWatch::default());
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
