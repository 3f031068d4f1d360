//! Records that left memory before their turn, and which of them to read again next.
//!
//! Their offsets stay open, so that nothing is committed beyond them but what is done. Queues take turns, partitions of
//! a queue as well; of a partition the oldest come first.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::crowd::Crowd;
use super::partitions::Lease;

/// How many records are read again at once.
pub(super) const MOST_RECORDS: usize = 1_000;

/// How far apart, in offsets, records may lie that are read in one go: what lies between them is read too.
const MOST_DISTANCE: i64 = 20_000;

/// What postponed records wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Behind {
    /// Nothing: those before them in their lane are done.
    Nothing,
    /// A place in one of the processor's queues.
    Queue(usize),
}

/// Records of one partition that are to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) behind: Behind,
    pub(super) slot: usize,
    pub(super) epoch: u32,
    /// In order, at least one.
    pub(super) offsets: Vec<i64>,
}

/// One that may be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    epoch: u32,
    /// Where it goes then.
    pub(super) lane: u64,
    /// What its processor wants to know.
    pub(super) note: u64,
}

#[derive(Debug, Default)]
struct Line {
    /// By slot and offset.
    offers: BTreeMap<(usize, i64), Offer>,
    /// The slot whose turn it is, or the next one after it.
    next_slot: usize,
}

impl Line {
    fn tell(&self, behind: Behind, crowd: &Crowd) {
        if let Behind::Queue(queue) = behind {
            crowd.set_postponed(queue, !self.offers.is_empty());
        }
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Offers {
    lines: BTreeMap<Behind, Line>,
    /// Which had the last turn.
    last: Option<Behind>,
    crowd: Crowd,
}

impl Offers {
    /// Nothing yet. `crowd` is told behind which queues there is something.
    pub(super) fn new(crowd: Crowd) -> Self {
        Self { lines: BTreeMap::new(), last: None, crowd }
    }

    /// A record may be read again once there is room behind what it waits for.
    pub(super) fn insert(&mut self, behind: Behind, lease: Lease, lane: u64, note: u64) {
        let offer = Offer { epoch: lease.epoch, lane, note };
        let entry = self.lines.entry(behind).or_default();
        entry.offers.insert((lease.slot, lease.offset), offer);
        entry.tell(behind, &self.crowd);
    }

    /// A record that may be read again.
    pub(super) fn get(&self, behind: Behind, lease: Lease) -> Option<Offer> {
        let offers = &self.lines.get(&behind)?.offers;
        offers.get(&(lease.slot, lease.offset)).copied().filter(|offer| offer.epoch == lease.epoch)
    }

    /// A record was read again, or may not be any more.
    pub(super) fn remove(&mut self, behind: Behind, lease: Lease) {
        if let Some(line) = self.lines.get_mut(&behind) {
            line.offers.remove(&(lease.slot, lease.offset));
            line.tell(behind, &self.crowd);
        }
    }

    /// Forgets what is not wanted.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(Lease) -> bool) {
        for (&behind, line) in &mut self.lines {
            let lease = |slot, offset, epoch| Lease { slot, epoch, offset, bytes: 0 };
            line.offers.retain(|&(slot, offset), offer| is_wanted(lease(slot, offset, offer.epoch)));
            line.tell(behind, &self.crowd);
        }
    }

    /// What to read again now. `room` says for how many a queue has room.
    pub(super) fn next(&mut self, room: impl Fn(usize) -> usize) -> Option<Wanted> {
        let room = |behind| match behind {
            Behind::Nothing => MOST_RECORDS,
            Behind::Queue(queue) => room(queue).min(MOST_RECORDS),
        };
        let later = (self.last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut in_turn = self.lines.range(later).chain(&self.lines);
        let (&behind, _) = in_turn.find(|(behind, line)| !line.offers.is_empty() && room(**behind) > 0)?;
        self.last = Some(behind);
        let line = self.lines.get_mut(&behind)?;
        let from = (line.next_slot, i64::MIN);
        let (&(slot, first), &Offer { epoch, .. }) =
            line.offers.range(from..).next().or_else(|| line.offers.first_key_value())?;
        line.next_slot = slot + 1;
        let near = line.offers.range((slot, first)..=(slot, first.saturating_add(MOST_DISTANCE)));
        let offsets = near.filter(|(_, offer)| offer.epoch == epoch).map(|(&(_, offset), _)| offset);
        let offsets = offsets.take(room(behind)).collect();
        Some(Wanted { behind, slot, epoch, offsets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(slot: usize, offset: i64) -> Lease {
        Lease { slot, epoch: 1, offset, bytes: 0 }
    }

    fn wanted(behind: Behind, slot: usize, offsets: &[i64]) -> Wanted {
        Wanted { behind, slot, epoch: 1, offsets: offsets.to_vec() }
    }

    #[test]
    fn queues_and_their_partitions_take_turns_and_get_no_more_than_they_have_room_for() {
        let (slow, slower) = (Behind::Queue(1), Behind::Queue(2));
        let mut postponed = Offers::new(Crowd::default());
        for offset in [7, 5, 9] {
            for slot in [0, 1] {
                postponed.insert(slow, lease(slot, offset), 3, 0);
            }
            postponed.insert(slower, lease(0, offset + 100), 4, 0);
        }
        postponed.insert(Behind::Nothing, lease(3, 1), 8, 6);
        let room = |queue| if queue == 1 { 2 } else { 1 };
        let turns: Vec<_> = (0..6).map(|_| postponed.next(room)).collect();
        assert_eq!(
            turns[..3],
            [Some(wanted(Behind::Nothing, 3, &[1])), Some(wanted(slow, 0, &[5, 7])), Some(wanted(slower, 0, &[105]))]
        );
        assert_eq!(turns[3], turns[0]);
        assert_eq!(turns[4], Some(wanted(slow, 1, &[5, 7])));

        let offer = |postponed: &Offers, epoch| postponed.get(Behind::Nothing, Lease { epoch, ..lease(3, 1) });
        assert_eq!(offer(&postponed, 1), Some(Offer { epoch: 1, lane: 8, note: 6 }));
        assert_eq!(offer(&postponed, 2), None, "another epoch's");
        postponed.remove(Behind::Nothing, lease(3, 1));
        assert_eq!(offer(&postponed, 1), None);
        assert_eq!(postponed.next(|queue| usize::from(queue == 2)), Some(wanted(slower, 0, &[105])));
        assert_eq!(postponed.next(|_| 0), None);
    }

    #[test]
    fn what_lies_far_apart_is_read_one_after_the_other() {
        let mut postponed = Offers::new(Crowd::default());
        for offset in [0, 20_000, 20_001] {
            postponed.insert(Behind::Nothing, lease(0, offset), 3, 0);
        }
        assert_eq!(postponed.next(|_| 0), Some(wanted(Behind::Nothing, 0, &[0, 20_000])));
    }

    #[test]
    fn what_is_not_wanted_any_more_is_forgotten() {
        let mut postponed = Offers::new(Crowd::default());
        postponed.insert(Behind::Queue(1), lease(0, 5), 3, 0);
        postponed.insert(Behind::Queue(1), lease(1, 5), 3, 0);
        postponed.retain(|lease| lease.slot == 1);
        assert_eq!(postponed.next(|_| 9), Some(wanted(Behind::Queue(1), 1, &[5])));
    }
}
