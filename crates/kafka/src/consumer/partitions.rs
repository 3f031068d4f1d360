//! What this member owns, and how far each partition is done.
//!
//! Every assignment of a partition begins a new *epoch*. Work carries the epoch it was taken in; what finishes under
//! an older one no longer counts, because the partition may have another owner by now.

use millrace_domain::{Done, Ledger};
use rdkafka::TopicPartitionList;

use super::ownership::Owned;
use super::progress::Progress;
use super::resume::Place;

/// A record's claim on its partition: which one, in which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) slot: usize,
    pub(super) epoch: u32,
    pub(super) offset: i64,
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tenure {
    /// Records are taken.
    Owned,
    /// It is owned and to be taken up anew, at a place that is not known yet: what is read meanwhile is not taken.
    Moving,
    /// It is being taken away: what is in flight is finished, nothing new is taken.
    Leaving,
    /// Somebody else's.
    Gone,
}

/// One partition this member owns or once owned.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) topic: String,
    pub(super) partition: i32,
    tenure: Tenure,
    epoch: u32,
    ledger: Ledger,
    /// Whether the client's position is known to be of this epoch, and not a rest of an older one.
    is_position_fresh: bool,
    /// The offset known to be committed, or where reading began.
    committed: Option<i64>,
    /// Records in flight under the current epoch.
    in_flight: usize,
    /// How many of its records were done in the current epoch, and how many of them the last commit tells of.
    done: u64,
    done_committed: u64,
    /// Whether work on it may begin.
    wanted: bool,
    /// Lanes of this partition that are full.
    pub(super) full_lanes: usize,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// Whether what is done beyond a frontier is committed with it.
    tells_all: bool,
    slots: Vec<Slot>,
    last_found: usize,
    records: usize,
    bytes: usize,
    restarted: bool,
}

impl Partitions {
    /// Partitions of which commits tell all that is done (`tells_all`), or only how far everything is.
    pub(super) fn new(tells_all: bool) -> Self {
        Self { tells_all, ..Self::default() }
    }

    /// From now on commits only tell how far everything is done.
    pub(super) fn tell_frontiers(&mut self) {
        self.tells_all = false;
    }

    /// Begins an epoch of a partition, which is taken up at `place`.
    pub(super) fn assign(&mut self, topic: &str, partition: i32, place: Place) -> usize {
        let index = self.find(topic, partition).unwrap_or_else(|| {
            self.slots.push(Slot {
                topic: topic.to_owned(),
                partition,
                tenure: Tenure::Gone,
                epoch: 0,
                ledger: Ledger::default(),
                is_position_fresh: false,
                committed: None,
                in_flight: 0,
                done: 0,
                done_committed: 0,
                wanted: false,
                full_lanes: 0,
            });
            self.slots.len() - 1
        });
        self.begin_epoch(index);
        let slot = &mut self.slots[index];
        slot.tenure = Tenure::Owned;
        match place {
            Place::Unknown => {}
            Place::Stored(offset) => slot.ledger = Ledger::resume(Done::below(offset)),
            Place::Committed(done) => {
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
        slot.wanted = true;
    }

    /// Stops taking records of a partition; what is in flight may still finish.
    pub(super) fn leave(&mut self, topic: &str, partition: i32) -> Option<usize> {
        let index = self.find(topic, partition)?;
        self.slots[index].tenure = Tenure::Leaving;
        Some(index)
    }

    /// Ends a partition's epoch: what finishes from now on does not count.
    pub(super) fn release(&mut self, index: usize) {
        self.begin_epoch(index);
        self.slots[index].tenure = Tenure::Gone;
        self.slots[index].wanted = false;
    }

    /// Takes a record in. `None` where the partition is not (or no longer) to be read, or the record was done before.
    pub(super) fn lease(&mut self, topic: &str, partition: i32, offset: i64, bytes: usize) -> Option<Lease> {
        let index = self.find(topic, partition)?;
        if self.slots[index].tenure != Tenure::Owned {
            return None;
        }
        let mut is_first = self.slots[index].ledger.frontier().is_none();
        let is_new = if let Ok(is_new) = self.slots[index].ledger.open(offset) {
            is_new
        } else {
            // The log was cut and reading began again further back. Old work no longer counts; all is read again.
            self.begin_epoch(index);
            self.restarted = true;
            is_first = true;
            self.slots[index].ledger.open(offset).ok()?
        };
        let slot = &mut self.slots[index];
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
        Some(Lease { slot: index, epoch: slot.epoch, offset, bytes })
    }

    /// Takes a record in again whose claim has ended without its being done. `None` where its partition is not to be read
    /// any more, or was taken up anew.
    pub(super) fn lease_again(&mut self, index: usize, epoch: u32, offset: i64, bytes: usize) -> Option<Lease> {
        let slot = self.slots.get_mut(index)?;
        if slot.tenure != Tenure::Owned || slot.epoch != epoch {
            return None;
        }
        slot.in_flight += 1;
        self.records += 1;
        self.bytes += bytes;
        Some(Lease { slot: index, epoch, offset, bytes })
    }

    /// Takes note of how far the client has handed a partition out: every record below `position` was leased, and what
    /// else lies there is no record. `None` where the client has handed out nothing since it took the partition over.
    pub(super) fn reached(&mut self, topic: &str, partition: i32, position: Option<i64>) {
        let Some(index) = self.find(topic, partition) else { return };
        let slot = &mut self.slots[index];
        // What is polled of a partition that is leaving is dropped, not leased.
        if slot.tenure != Tenure::Owned {
            return;
        }
        match position {
            None => slot.is_position_fresh = true,
            Some(position) if slot.is_position_fresh => slot.ledger.skip_to(position),
            Some(_) => {}
        }
    }

    /// Whether an epoch began since the last call because a log was cut.
    pub(super) fn take_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// A record left flight. Where `done`, it counts: it was processed, or its dead letter acknowledged.
    pub(super) fn end(&mut self, lease: Lease, done: bool) {
        self.records -= 1;
        self.bytes -= lease.bytes;
        let slot = &mut self.slots[lease.slot];
        if slot.epoch != lease.epoch {
            return;
        }
        slot.in_flight -= 1;
        slot.done += u64::from(done);
        if done && let Err(error) = slot.ledger.close(lease.offset) {
            tracing::error!(%error, topic = slot.topic, partition = slot.partition, "the ledger is out of step");
        }
    }

    /// Frontiers with more done than is committed, of partitions that may still be committed.
    pub(super) fn uncommitted(&self) -> Vec<Frontier> {
        let slots = self.slots.iter().enumerate().filter(|(_, slot)| slot.tenure != Tenure::Gone);
        slots
            .filter_map(|(index, slot)| {
                let offset = slot.ledger.frontier()?;
                let is_beyond = slot.committed.is_none_or(|committed| offset > committed);
                let is_more = self.tells_all && slot.done > slot.done_committed;
                let frontier = Frontier { slot: index, epoch: slot.epoch, offset, done: slot.done };
                (is_beyond || is_more).then_some(frontier)
            })
            .collect()
    }

    /// Notes that a frontier is committed; an older epoch's is passed over.
    pub(super) fn committed(&mut self, frontier: Frontier, progress: &Progress) {
        let slot = &mut self.slots[frontier.slot];
        if slot.epoch == frontier.epoch {
            slot.committed = Some(frontier.offset);
            slot.done_committed = frontier.done;
            progress.set_position(&slot.topic, slot.partition, frontier.offset);
        }
    }

    /// The current epoch of a slot; 0 where there is none.
    pub(super) fn epoch(&self, index: usize) -> u32 {
        self.slots.get(index).map_or(0, |slot| slot.epoch)
    }

    /// Takes nothing of a partition any more until it is [taken up](Self::assign) anew, unless that has happened since
    /// the claim was made.
    pub(super) fn set_aside(&mut self, lease: Lease) {
        let slot = &self.slots[lease.slot];
        if slot.tenure == Tenure::Owned && slot.epoch == lease.epoch {
            self.begin_epoch(lease.slot);
            self.slots[lease.slot].wanted = false;
            self.slots[lease.slot].tenure = Tenure::Moving;
        }
    }

    /// Partitions that wait to be taken up anew.
    pub(super) fn set_aside_slots(&self) -> Vec<usize> {
        self.slots_with(|tenure| tenure == Tenure::Moving)
    }

    /// The partitions on which work may begin, each in its epoch.
    pub(super) fn wanted(&self) -> Owned {
        Owned(self.slots.iter().map(|slot| slot.wanted.then_some(slot.epoch)).collect())
    }

    /// No more work begins on a partition.
    pub(super) fn want_no_more(&mut self, index: usize) {
        self.slots[index].wanted = false;
    }

    /// How many records a partition has in flight.
    pub(super) fn in_flight(&self, index: usize) -> usize {
        self.slots[index].in_flight
    }

    /// Whether uncommitted progress of a partition remains.
    pub(super) fn has_uncommitted(&self, index: usize) -> bool {
        self.uncommitted().iter().any(|frontier| frontier.slot == index)
    }

    /// Records and bytes in flight, of all partitions and epochs.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.records, self.bytes)
    }

    /// How many partitions are owned.
    pub(super) fn owned(&self) -> usize {
        self.owned_slots().len()
    }

    /// A partition, by index.
    pub(super) fn slot_mut(&mut self, index: usize) -> &mut Slot {
        &mut self.slots[index]
    }

    /// Whether a partition is owned.
    pub(super) fn is_owned(&self, index: usize) -> bool {
        matches!(self.slots[index].tenure, Tenure::Owned | Tenure::Moving)
    }

    /// Indexes of all partitions that are owned.
    pub(super) fn owned_slots(&self) -> Vec<usize> {
        self.slots_with(|tenure| matches!(tenure, Tenure::Owned | Tenure::Moving))
    }

    fn slots_with(&self, tenure: impl Fn(Tenure) -> bool) -> Vec<usize> {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| tenure(slot.tenure)).map(|(index, _)| index).collect()
    }

    /// Partitions by index, as librdkafka wants them.
    pub(super) fn list(&self, indexes: &[usize]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(indexes.len());
        for &index in indexes {
            list.add_partition(&self.slots[index].topic, self.slots[index].partition);
        }
        list
    }

    /// Frontiers as librdkafka wants them.
    pub(super) fn offsets(&self, frontiers: &[Frontier]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(frontiers.len());
        for frontier in frontiers {
            let slot = &self.slots[frontier.slot];
            let mut element = list.add_partition(&slot.topic, slot.partition);
            if let Err(error) = element.set_offset(rdkafka::Offset::Offset(frontier.offset)) {
                tracing::error!(%error, "an offset cannot be committed");
            }
            if self.tells_all
                && let Some(done) = slot.ledger.done()
            {
                element.set_metadata(done.text_that_fits());
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

/// An offset to commit, and under which claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frontier {
    pub(super) slot: usize,
    pub(super) epoch: u32,
    pub(super) offset: i64,
    /// How many records of the epoch were done by then.
    pub(super) done: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(partitions: &Partitions) -> Vec<i64> {
        partitions.uncommitted().iter().map(|frontier| frontier.offset).collect()
    }

    #[test]
    fn only_a_contiguous_run_of_done_records_is_committed() {
        let mut partitions = Partitions::default();
        partitions.assign("orders", 0, Place::Unknown);
        let [first, second, third] = [10, 11, 12].map(|offset| partitions.lease("orders", 0, offset, 100).unwrap());
        partitions.end(third, true);
        assert_eq!(offsets(&partitions), [] as [i64; 0]);
        partitions.end(first, true);
        assert_eq!(offsets(&partitions), [11]);
        partitions.end(second, true);
        assert_eq!(offsets(&partitions), [13]);
        assert_eq!(partitions.load(), (0, 0));
    }

    #[test]
    fn what_finishes_under_an_older_epoch_does_not_count() {
        let mut partitions = Partitions::default();
        let slot = partitions.assign("orders", 0, Place::Unknown);
        let old = partitions.lease("orders", 0, 10, 100).unwrap();
        partitions.release(slot);
        assert_eq!(partitions.lease("orders", 0, 11, 100), None, "nothing is taken from a partition that is gone");
        partitions.assign("orders", 0, Place::Unknown);
        let new = partitions.lease("orders", 0, 10, 100).unwrap();
        partitions.end(old, true);
        assert_eq!(offsets(&partitions), [] as [i64; 0]);
        assert_eq!(partitions.load(), (1, 100));
        partitions.end(new, true);
        assert_eq!(offsets(&partitions), [11]);
    }

    #[test]
    fn a_partition_that_leaves_finishes_but_takes_nothing() {
        let mut partitions = Partitions::default();
        let slot = partitions.assign("orders", 3, Place::Unknown);
        let lease = partitions.lease("orders", 3, 0, 1).unwrap();
        assert_eq!(partitions.leave("orders", 3), Some(slot));
        assert_eq!(partitions.lease("orders", 3, 1, 1), None);
        partitions.end(lease, true);
        assert_eq!(partitions.in_flight(slot), 0);
        assert!(partitions.has_uncommitted(slot));
    }

    #[test]
    fn what_is_no_record_counts_once_the_client_is_past_it() {
        let mut partitions = Partitions::default();
        partitions.assign("payments", 0, Place::Unknown);
        partitions.reached("payments", 0, None);
        partitions.reached("payments", 0, Some(3));
        assert_eq!(offsets(&partitions), [3], "markers alone");
        let lease = partitions.lease("payments", 0, 3, 1).unwrap();
        partitions.reached("payments", 0, Some(5));
        assert_eq!(offsets(&partitions), [3], "a record is open below");
        partitions.end(lease, true);
        assert_eq!(offsets(&partitions), [5]);
    }

    #[test]
    fn a_position_of_an_older_epoch_does_not_count() {
        let mut partitions = Partitions::default();
        let slot = partitions.assign("payments", 0, Place::Unknown);
        partitions.lease("payments", 0, 7, 1).unwrap();
        partitions.release(slot);
        partitions.assign("payments", 0, Place::Unknown);
        partitions.reached("payments", 0, Some(8));
        assert_eq!(offsets(&partitions), [] as [i64; 0]);
        partitions.leave("payments", 0);
        partitions.reached("payments", 0, None);
        partitions.reached("payments", 0, Some(8));
        assert_eq!(offsets(&partitions), [] as [i64; 0]);
    }

    #[test]
    fn what_is_done_beyond_a_gap_is_told_and_not_taken_in_again() {
        let mut partitions = Partitions::new(true);
        partitions.assign("orders", 0, Place::Committed(Done::below(10)));
        assert_eq!(offsets(&partitions), [] as [i64; 0], "nothing is new");
        let [first, second, third] = [10, 11, 12].map(|offset| partitions.lease("orders", 0, offset, 1).unwrap());
        partitions.end(second, true);
        partitions.end(third, true);
        let told = partitions.uncommitted();
        assert_eq!(told.iter().map(|frontier| frontier.offset).collect::<Vec<_>>(), [10]);
        let list = partitions.offsets(&told);
        let text = list.elements()[0].metadata().to_owned();
        partitions.committed(told[0], &Progress::default());
        assert_eq!(partitions.uncommitted(), [], "it is told once");
        partitions.end(first, false);

        let mut next = Partitions::new(true);
        next.assign("orders", 0, Place::Committed(Done::read(10, &text).unwrap()));
        assert_eq!(next.uncommitted(), []);
        let again = next.lease("orders", 0, 10, 1).unwrap();
        assert_eq!([11, 12].map(|offset| next.lease("orders", 0, offset, 1)), [None, None]);
        assert!(next.lease("orders", 0, 13, 1).is_some());
        next.end(again, true);
        assert_eq!(offsets(&next), [13]);
    }

    #[test]
    fn a_log_that_was_cut_is_read_again_from_where_it_begins() {
        let mut partitions = Partitions::default();
        partitions.assign("orders", 0, Place::Unknown);
        let before = partitions.lease("orders", 0, 100, 1).unwrap();
        let after = partitions.lease("orders", 0, 5, 1).unwrap();
        partitions.end(before, true);
        assert_eq!(offsets(&partitions), [] as [i64; 0]);
        partitions.end(after, true);
        assert_eq!(offsets(&partitions), [6]);
    }
}
