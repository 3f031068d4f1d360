//! The keyed mode: records of one key come one after the other, records of different keys at the same time.
//!
//! A key has a *lane* while a record of it is in flight; records that come meanwhile wait in the lane. Lanes are told
//! apart by a hash of partition and key: two keys that collide share a lane, which costs parallelism but no order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::crowd::Crowd;
use super::lane::{Lane, Task, TaskEnd, Waited};
use super::offers::{Behind, Offers, Wanted};
use super::partitions::Lease;
use super::work::{Finished, Level, Verdict, Work, drop_unwanted};
use crate::record::Record;
use foldhash::fast::RandomState;
use futures_util::Stream;
use futures_util::stream::FuturesUnordered;

/// What lanes ask of those who work on records.
pub(super) struct Hooks<S, A, R> {
    /// Makes the future that works on a task.
    pub(super) start: S,
    /// Hears of records that wait for long.
    pub(super) announce: A,
    /// For how many records a queue has room.
    pub(super) room: R,
}

/// What becomes of records that come to a lane in which enough wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Their partition is paused.
    Pause,
    /// They are postponed.
    Postpone,
}

/// See the module's text.
pub(super) struct Lanes<'c, S, A, R, F, T> {
    hooks: Hooks<S, A, R>,
    running: FuturesUnordered<F>,
    by_key: HashMap<u64, Lane<'c>, RandomState>,
    offers: Offers,
    /// How many records are postponed.
    postponed: usize,
    /// What left without having been at work.
    left: Vec<Finished<T>>,
    hasher: RandomState,
    /// How many records wait in a lane before it overflows.
    lane_records: usize,
    overflow: Overflow,
}

impl<'c, S, A, R, F, T> Lanes<'c, S, A, R, F, T>
where
    S: Fn(Task<'c>) -> F,
    A: Fn(&Record<'_>),
    R: Fn(usize) -> usize,
    F: Future<Output = TaskEnd<T>>,
{
    pub(super) fn new(hooks: Hooks<S, A, R>, crowd: Crowd, lane_records: usize, overflow: Overflow) -> Self {
        Self {
            hooks,
            running: FuturesUnordered::new(),
            by_key: HashMap::default(),
            offers: Offers::new(crowd),
            postponed: 0,
            left: Vec::new(),
            hasher: RandomState::default(),
            lane_records,
            overflow,
        }
    }

    fn start(&self, task: Task<'c>) {
        self.running.push((self.hooks.start)(task));
    }

    /// Goes on with the lane's next record.
    fn advance(&mut self, id: u64) -> Option<Level> {
        let Entry::Occupied(mut occupied) = self.by_key.entry(id) else { return None };
        let lane = occupied.get_mut();
        let next = lane.advance(id, &mut self.offers);
        let level = match self.overflow {
            Overflow::Pause => lane.level(self.lane_records),
            Overflow::Postpone => None,
        };
        if lane.is_idle() {
            occupied.remove();
        }
        if let Some(task) = next {
            self.start(task);
        }
        level
    }

    /// What waited with a record that was postponed is so, too.
    fn postpone_all(&mut self, waiting: Vec<Task<'c>>) {
        self.postponed += waiting.len();
        for task in waiting {
            if task.waited != Waited::Long {
                (self.hooks.announce)(&task.record);
            }
            self.left.push(Finished { lease: task.lease, verdict: Verdict::Postponed(None) });
        }
    }

    fn ended(&mut self, end: &TaskEnd<T>) -> Option<Level> {
        let lease = end.finished.lease;
        if let Verdict::Postponed(Some(later)) = end.finished.verdict {
            self.postponed += 1;
            let lane = self.by_key.entry(end.lane).or_insert_with(Lane::new);
            let waiting = lane.postpone(end.lane, lease, later, &mut self.offers);
            self.postpone_all(waiting);
            return None;
        }
        if matches!(end.finished.verdict, Verdict::Abandoned)
            && let Some(lane) = self.by_key.get_mut(&end.lane)
        {
            // What waited behind it must not overtake it. Records of a newer epoch may wait for it as well: they are
            // wanted, and it is among them.
            let mut given_up = Vec::new();
            drop_unwanted(&mut lane.waiting, |task| task.lease, |other| other.epoch != lease.epoch, &mut given_up);
            self.left.extend(given_up.into_iter().map(|lease| Finished { lease, verdict: Verdict::Abandoned }));
        }
        self.advance(end.lane)
    }
}

impl<'c, S, A, R, F, T> Work<'c> for Lanes<'c, S, A, R, F, T>
where
    S: Fn(Task<'c>) -> F,
    A: Fn(&Record<'_>),
    R: Fn(usize) -> usize,
    F: Future<Output = TaskEnd<T>>,
{
    type Product = T;

    /// It starts at once, or waits for its key's turn.
    fn take(&mut self, lease: Lease, record: Record<'c>) -> Option<Level> {
        let id = match record.key() {
            Some(key) => self.hasher.hash_one((lease.slot, key)),
            // Records without a key have no order among each other.
            None => self.hasher.hash_one((lease.slot, lease.offset)),
        };
        let task = Task { lease, record, note: None, lane: id, waited: Waited::No };
        match self.by_key.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Lane::new());
                self.start(task);
                None
            }
            Entry::Occupied(mut occupied) => {
                let lane = occupied.get_mut();
                if self.overflow == Overflow::Pause {
                    lane.push(task);
                    return lane.level(self.lane_records);
                }
                if let Some(task) = lane.push_up_to(self.lane_records, task) {
                    self.postpone_all(vec![task]);
                }
                None
            }
        }
    }

    fn look_at_waiting(&mut self) {
        for task in self.by_key.values_mut().flat_map(|lane| &mut lane.waiting) {
            task.waited = match task.waited {
                Waited::No => Waited::Once,
                Waited::Once => {
                    (self.hooks.announce)(&task.record);
                    Waited::Long
                }
                Waited::Long => Waited::Long,
            };
        }
    }

    /// Its lane goes on with the next record.
    fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<(Finished<T>, Option<Level>)> {
        if let Some(finished) = self.left.pop() {
            return Poll::Ready((finished, None));
        }
        let Some(end) = ready!(Pin::new(&mut self.running).poll_next(context)) else {
            return Poll::Pending;
        };
        let level = self.ended(&end);
        Poll::Ready((end.finished, level))
    }

    fn drop_waiting(&mut self, is_wanted: impl Fn(Lease) -> bool) -> Vec<Lease> {
        let mut dropped = Vec::new();
        self.offers.retain(&is_wanted);
        self.by_key.retain(|&id, lane| {
            let postponed = lane.postponed();
            lane.retain(&is_wanted, &mut dropped);
            self.postponed -= postponed - lane.postponed();
            lane.offer(id, &mut self.offers);
            !lane.is_idle()
        });
        dropped
    }

    fn make_room(&mut self) {
        let Self { by_key, offers, .. } = self;
        let waiting = by_key.values_mut().flat_map(|lane| lane.make_room(offers)).collect();
        self.postpone_all(waiting);
    }

    fn postponed(&self) -> usize {
        self.postponed
    }

    fn wanted_again(&mut self) -> Option<Wanted> {
        if self.postponed == 0 {
            return None;
        }
        self.offers.next(&self.hooks.room)
    }

    fn take_again(&mut self, behind: Behind, lease: Lease, record: Option<Record<'c>>) -> Result<(), Lease> {
        let Some(offer) = self.offers.get(behind, lease) else { return Err(lease) };
        let Entry::Occupied(mut occupied) = self.by_key.entry(offer.lane) else { return Err(lease) };
        let lane = occupied.get_mut();
        if !lane.take_first(lease) {
            return Err(lease);
        }
        self.offers.remove(behind, lease);
        self.postponed -= 1;
        let task = |record| Task { lease, record, note: Some(offer.note), lane: offer.lane, waited: Waited::Long };
        let next = record.and_then(|record| lane.take_again(task(record)));
        lane.offer(offer.lane, &mut self.offers);
        if lane.is_idle() {
            occupied.remove();
        }
        if let Some(task) = next {
            self.start(task);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};
    use std::rc::Rc;

    use futures_util::task::noop_waker_ref;
    use proptest::prelude::*;
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;
    use tokio::sync::oneshot;

    use super::*;
    use crate::consumer::work::Later;

    fn record(key: Option<&str>, offset: i64) -> Record<'static> {
        let key = key.map(|key| key.as_bytes().to_vec());
        Record::from(OwnedMessage::new(Some(b"{}".to_vec()), key, "t".into(), Timestamp::NotAvailable, 0, offset, None))
    }

    fn lease(offset: i64) -> Lease {
        Lease { slot: 0, epoch: 1, offset, bytes: 1 }
    }

    /// Lanes that announce nothing.
    #[allow(clippy::type_complexity)]
    fn lanes<'c, F: Future<Output = TaskEnd<()>>>(
        start: impl Fn(Task<'c>) -> F,
        lane_records: usize,
    ) -> Lanes<'c, impl Fn(Task<'c>) -> F, impl Fn(&Record<'_>), impl Fn(usize) -> usize, F, ()> {
        Lanes::new(
            Hooks { start, announce: |_: &Record<'_>| {}, room: |_| 0 },
            Crowd::default(),
            lane_records,
            Overflow::Pause,
        )
    }

    /// Work that each test finishes by hand, in any order.
    #[derive(Clone, Default)]
    struct Bench(Rc<RefCell<Vec<Job>>>);

    type Job = (i64, oneshot::Sender<Option<Later>>);

    impl Bench {
        fn start<'c>(&self, task: Task<'c>) -> impl Future<Output = TaskEnd<()>> + use<'c> {
            let (sender, finish) = oneshot::channel();
            self.0.borrow_mut().push((task.lease.offset, sender));
            async move {
                match finish.await.unwrap() {
                    None => task.finish(Verdict::Done(())),
                    Some(later) => task.finish(Verdict::Postponed(Some(later))),
                }
            }
        }

        fn running(&self) -> Vec<i64> {
            self.0.borrow().iter().map(|(offset, _)| *offset).collect()
        }

        fn finish(&self, index: usize) -> i64 {
            self.end(index, None)
        }

        fn end(&self, index: usize, later: Option<Later>) -> i64 {
            let (offset, sender) = self.0.borrow_mut().remove(index);
            sender.send(later).unwrap();
            offset
        }
    }

    proptest! {
        #[test]
        fn records_of_a_key_run_one_at_a_time_and_in_order(keys in prop::collection::vec(prop::option::weighted(0.9, 0usize..5), 1..60), picks: Vec<prop::sample::Index>) {
            let names = ["a", "b", "c", "d", "e"];
            let bench = Bench::default();
            let starter = bench.clone();
            let mut lanes = lanes(move |task| starter.start(task), 1_000);
            for (offset, key) in (0..).zip(&keys) {
                lanes.take(lease(offset), record(key.map(|key| names[key]), offset));
            }
            let mut done = Vec::new();
            let mut picks = picks.into_iter();
            let mut context = Context::from_waker(noop_waker_ref());
            while done.len() < keys.len() {
                let running = bench.running();
                for key in 0..5 {
                    let of_key = running.iter().filter(|offset| keys[usize::try_from(**offset).unwrap()] == Some(key));
                    prop_assert!(of_key.count() <= 1, "two records of one key at a time");
                }
                let index = picks.next().map_or(0, |pick| pick.index(running.len()));
                let finished = bench.finish(index);
                let Poll::Ready((task, _)) = lanes.poll_finished(&mut context) else { panic!("nothing finished") };
                prop_assert_eq!(task.lease.offset, finished);
                done.push(finished);
            }
            for key in 0..5 {
                let of_key: Vec<_> = done.iter().filter(|offset| keys[usize::try_from(**offset).unwrap()] == Some(key)).collect();
                prop_assert!(of_key.is_sorted(), "a key's records out of order");
            }
            prop_assert!(lanes.by_key.is_empty(), "lanes go when they are idle");
        }
    }

    /// What may happen to lanes between one record and the next.
    #[derive(Debug, Clone)]
    enum Step {
        Take,
        Finish(usize),
        Postpone(usize, usize),
        MakeRoom,
        ReadAgain { cut: usize, gone: Option<usize> },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Take),
            3 => (0usize..40).prop_map(Step::Finish),
            2 => (0usize..40, 0usize..2).prop_map(|(index, queue)| Step::Postpone(index, queue)),
            1 => Just(Step::MakeRoom),
            3 => (0usize..6, prop::option::weighted(0.2, 0usize..6)).prop_map(|(cut, gone)| Step::ReadAgain { cut, gone }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
        #[test]
        fn what_is_postponed_keeps_its_keys_order_and_none_is_lost_or_repeated(
            keys in prop::collection::vec(prop::option::weighted(0.9, 0usize..3), 1..40),
            steps in prop::collection::vec(step(), 0..120),
        ) {
            let names = ["a", "b", "c"];
            let record = |offset: i64| record(keys[usize::try_from(offset).unwrap()].map(|key| names[key]), offset);
            let (bench, crowd) = (Bench::default(), Crowd::default());
            let starter = bench.clone();
            let hooks = Hooks { start: move |task| starter.start(task), announce: |_: &Record<'_>| {}, room: |_| 3 };
            let mut lanes = Lanes::new(hooks, crowd, 3, Overflow::Postpone);
            let mut context = Context::from_waker(noop_waker_ref());
            let count = i64::try_from(keys.len()).unwrap();
            let (mut next, mut away, mut done, mut lost) = (0, BTreeSet::new(), Vec::new(), Vec::new());
            // In the end all that is left is done, one after the other.
            let rest = std::iter::repeat_with(|| {
                [Step::Take, Step::ReadAgain { cut: 9, gone: None }, Step::Finish(0)]
            });
            let mut steps = steps.into_iter().chain(rest.flatten());
            while done.len() + lost.len() < keys.len() {
                match steps.next().unwrap() {
                    Step::Take if next < count => {
                        lanes.take(lease(next), record(next));
                        next += 1;
                    }
                    Step::Finish(index) if !bench.running().is_empty() => {
                        bench.end(index % bench.running().len(), None);
                    }
                    Step::Postpone(index, queue) if !bench.running().is_empty() => {
                        bench.end(index % bench.running().len(), Some(Later { queue, note: 7 }));
                    }
                    Step::MakeRoom => lanes.make_room(),
                    Step::ReadAgain { cut, gone } => if let Some(wanted) = lanes.wanted_again() {
                        prop_assert!(wanted.behind == Behind::Nothing || wanted.offsets.len() <= 3);
                        let gone = gone.map(|gone| wanted.offsets[gone % wanted.offsets.len()]);
                        for offset in wanted.offsets.into_iter().take(cut) {
                            prop_assert!(away.contains(&offset), "read again without having been postponed");
                            let is_gone = gone == Some(offset);
                            lost.extend(is_gone.then_some(offset));
                            let again = (!is_gone).then(|| record(offset));
                            prop_assert!(lanes.take_again(wanted.behind, lease(offset), again).is_ok());
                            away.remove(&offset);
                        }
                    }
                    Step::Take | Step::Finish(_) | Step::Postpone(..) => {}
                }
                while let Poll::Ready((Finished { lease, verdict }, _)) = lanes.poll_finished(&mut context) {
                    if matches!(verdict, Verdict::Postponed(_)) {
                        prop_assert!(away.insert(lease.offset), "postponed twice");
                    } else {
                        done.push(lease.offset);
                    }
                }
                prop_assert_eq!(lanes.postponed(), away.len());
                for key in 0..3 {
                    let is_of_key = |offset: &&i64| keys[usize::try_from(**offset).unwrap()] == Some(key);
                    prop_assert!(bench.running().iter().filter(is_of_key).count() <= 1, "two records of one key");
                    prop_assert!(done.iter().filter(is_of_key).is_sorted(), "a key's records out of order");
                }
            }
            done.append(&mut lost);
            done.sort_unstable();
            prop_assert_eq!(done, (0..count).collect::<Vec<_>>());
            prop_assert!(lanes.by_key.is_empty() && lanes.wanted_again().is_none());
        }
    }

    #[test]
    fn what_is_postponed_in_a_partition_that_leaves_is_forgotten_and_a_note_comes_back() {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&notes);
        let start = move |task: Task<'static>| {
            seen.borrow_mut().push(task.note);
            let is_new = task.note.is_none();
            std::future::ready(if is_new {
                task.finish(Verdict::Postponed(Some(Later { queue: 1, note: 7 })))
            } else {
                task.finish(Verdict::Done(()))
            })
        };
        let crowd = Crowd::default();
        let hooks = Hooks { start, announce: |_: &Record<'_>| {}, room: |_| 9 };
        let mut lanes = Lanes::new(hooks, crowd.clone(), 4, Overflow::Postpone);
        let mut context = Context::from_waker(noop_waker_ref());
        for offset in 0..2 {
            lanes.take(Lease { slot: 1, ..lease(offset) }, record(Some("k"), offset));
        }
        lanes.take(lease(5), record(Some("k"), 5));
        while lanes.poll_finished(&mut context).is_ready() {}
        assert_eq!(lanes.postponed(), 3);
        assert!(lanes.drop_waiting(|lease| lease.slot == 0).is_empty(), "their claims have ended");
        assert_eq!(lanes.postponed(), 1);
        let wanted = lanes.wanted_again().unwrap();
        assert_eq!((wanted.behind, wanted.slot, &*wanted.offsets), (Behind::Queue(1), 0, &[5][..]));
        assert!(crowd.has_postponed(1));
        lanes.take_again(wanted.behind, lease(5), Some(record(Some("k"), 5))).unwrap();
        assert!(lanes.poll_finished(&mut context).is_ready());
        assert_eq!(*notes.borrow(), [None, None, Some(7)]);
        assert!(lanes.by_key.is_empty());
        assert!(!crowd.has_postponed(1));
    }

    #[test]
    fn a_lane_says_when_it_is_full_and_when_it_is_half_empty_again() {
        let bench = Bench::default();
        let starter = bench.clone();
        let mut lanes = lanes(move |task| starter.start(task), 4);
        let levels: Vec<_> = (0..7).map(|offset| lanes.take(lease(offset), record(Some("k"), offset))).collect();
        assert_eq!(levels, [None, None, None, None, Some(Level::Full), None, None]);
        let mut context = Context::from_waker(noop_waker_ref());
        let mut drained = Vec::new();
        for _ in 0..7 {
            bench.finish(0);
            let Poll::Ready((_, level)) = lanes.poll_finished(&mut context) else { panic!("nothing finished") };
            drained.push(level);
        }
        assert_eq!(drained, [None, None, None, Some(Level::Drained), None, None, None]);
    }

    #[test]
    fn what_waits_from_one_look_to_the_next_is_announced_once() {
        let (bench, announced) = (Bench::default(), RefCell::new(Vec::new()));
        let starter = bench.clone();
        let announce = |record: &Record<'_>| announced.borrow_mut().push(record.offset());
        let hooks = Hooks { start: move |task| starter.start(task), announce, room: |_| 0 };
        let mut lanes = Lanes::new(hooks, Crowd::default(), 4, Overflow::Postpone);
        let mut looks = Vec::new();
        for offset in 0..4 {
            lanes.take(lease(offset), record(Some("k"), offset));
            lanes.look_at_waiting();
            looks.push(announced.take());
        }
        lanes.look_at_waiting();
        looks.push(announced.take());
        lanes.look_at_waiting();
        assert_eq!(looks, [vec![], vec![], vec![1], vec![2], vec![3]]);
        assert!(announced.take().is_empty());
    }

    #[test]
    fn what_waits_in_a_partition_that_leaves_is_dropped_and_what_runs_goes_on() {
        let bench = Bench::default();
        let starter = bench.clone();
        let mut lanes = lanes(move |task| starter.start(task), 4);
        for offset in 0..3 {
            lanes.take(lease(offset), record(Some("k"), offset));
        }
        let dropped: Vec<_> = lanes.drop_waiting(|lease| lease.offset < 2).iter().map(|lease| lease.offset).collect();
        assert_eq!(dropped, [2]);
        assert_eq!(bench.running(), [0]);
    }

    #[test]
    fn what_waits_behind_a_record_that_is_given_up_is_given_up_too_but_not_what_is_read_anew() {
        let start = |task: Task<'static>| {
            let is_given_up = task.lease == lease(0);
            std::future::ready(task.finish(if is_given_up { Verdict::Abandoned } else { Verdict::Done(()) }))
        };
        let mut lanes = lanes(start, 4);
        for (offset, key) in [(0, "a"), (1, "a"), (2, "b"), (3, "a")] {
            lanes.take(lease(offset), record(Some(key), offset));
        }
        for offset in [10, 11] {
            lanes.take(Lease { epoch: 2, ..lease(offset) }, record(Some("a"), offset));
        }
        let mut context = Context::from_waker(noop_waker_ref());
        let mut ends = BTreeMap::new();
        while let Poll::Ready((finished, _)) = lanes.poll_finished(&mut context) {
            ends.insert(finished.lease.offset, matches!(finished.verdict, Verdict::Abandoned));
        }
        assert_eq!(ends, BTreeMap::from([(0, true), (1, true), (2, false), (3, true), (10, false), (11, false)]));
    }
}
