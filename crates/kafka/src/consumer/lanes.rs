//! The keyed mode: records of one key come one after the other, records of different keys at the same time.
//!
//! A key has a *lane* while a record of it is in flight; records that come meanwhile wait in the lane. Lanes are told
//! apart by a hash of partition and key: two keys that collide share a lane, which costs parallelism but no order.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::partitions::Lease;
use super::work::{Finished, Level, Verdict, Work, drop_unwanted};
use crate::record::Record;
use foldhash::fast::RandomState;
use futures_util::Stream;
use futures_util::stream::FuturesUnordered;

/// A record to work on, and its claim.
pub(super) struct Task<'c> {
    pub(super) lease: Lease,
    pub(super) record: Record<'c>,
    lane: Option<u64>,
    waited: Waited,
}

/// How long a task has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// It has just come.
    No,
    /// It was there when its lane was last looked at.
    Once,
    /// It was announced.
    Long,
}

/// A task that ended.
pub(super) struct TaskEnd<T> {
    finished: Finished<T>,
    lane: Option<u64>,
}

impl Task<'_> {
    /// The task's end.
    pub(super) fn finish<T>(&self, verdict: Verdict<T>) -> TaskEnd<T> {
        TaskEnd { finished: Finished { lease: self.lease, verdict }, lane: self.lane }
    }
}

#[derive(Default)]
struct Lane<'c> {
    waiting: VecDeque<Task<'c>>,
    full: bool,
}

/// See the module's text. `start` makes the future that works on a task, `announce` hears of records that wait for long.
pub(super) struct Lanes<'c, S, A, F> {
    start: S,
    announce: A,
    running: FuturesUnordered<F>,
    by_key: HashMap<u64, Lane<'c>, RandomState>,
    /// What waited behind a record that was given up: it must not overtake it.
    given_up: Vec<Lease>,
    hasher: RandomState,
    lane_records: usize,
}

impl<'c, S, A, F, T> Lanes<'c, S, A, F>
where
    S: Fn(Task<'c>) -> F,
    A: Fn(&Record<'_>),
    F: Future<Output = TaskEnd<T>>,
{
    pub(super) fn new(start: S, announce: A, lane_records: usize) -> Self {
        Self {
            start,
            announce,
            running: FuturesUnordered::new(),
            by_key: HashMap::default(),
            given_up: Vec::new(),
            hasher: RandomState::default(),
            lane_records,
        }
    }

    fn advance(&mut self, id: u64) -> Option<Level> {
        let Entry::Occupied(mut occupied) = self.by_key.entry(id) else { return None };
        let lane = occupied.get_mut();
        let next = lane.waiting.pop_front();
        let drained = lane.full && lane.waiting.len() <= self.lane_records / 2;
        lane.full &= !drained;
        match next {
            Some(task) => self.running.push((self.start)(task)),
            None => drop(occupied.remove()),
        }
        drained.then_some(Level::Drained)
    }
}

impl<'c, S, A, F, T> Work<'c> for Lanes<'c, S, A, F>
where
    S: Fn(Task<'c>) -> F,
    A: Fn(&Record<'_>),
    F: Future<Output = TaskEnd<T>>,
{
    type Product = T;

    /// It starts at once, or waits for its key's turn.
    fn take(&mut self, lease: Lease, record: Record<'c>) -> Option<Level> {
        // Records without a key have no order among each other.
        let lane = record.key().map(|key| self.hasher.hash_one((lease.slot, key)));
        let task = Task { lease, record, lane, waited: Waited::No };
        let Some(id) = lane else {
            self.running.push((self.start)(task));
            return None;
        };
        match self.by_key.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Lane::default());
                self.running.push((self.start)(task));
                None
            }
            Entry::Occupied(mut occupied) => {
                let lane = occupied.get_mut();
                lane.waiting.push_back(task);
                let filled = !lane.full && lane.waiting.len() >= self.lane_records;
                lane.full |= filled;
                filled.then_some(Level::Full)
            }
        }
    }

    fn look_at_waiting(&mut self) {
        for task in self.by_key.values_mut().flat_map(|lane| &mut lane.waiting) {
            task.waited = match task.waited {
                Waited::No => Waited::Once,
                Waited::Once => {
                    (self.announce)(&task.record);
                    Waited::Long
                }
                Waited::Long => Waited::Long,
            };
        }
    }

    /// Its lane goes on with the next record.
    fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<(Finished<T>, Option<Level>)> {
        if let Some(lease) = self.given_up.pop() {
            return Poll::Ready((Finished { lease, verdict: Verdict::Abandoned }, None));
        }
        let Some(TaskEnd { finished, lane }) = ready!(Pin::new(&mut self.running).poll_next(context)) else {
            return Poll::Pending;
        };
        if matches!(finished.verdict, Verdict::Abandoned)
            && let Some(lane) = lane.and_then(|lane| self.by_key.get_mut(&lane))
        {
            // Records of a newer epoch may wait for it as well: they are wanted, and it is among them.
            let epoch = finished.lease.epoch;
            drop_unwanted(&mut lane.waiting, |task| task.lease, |lease| lease.epoch != epoch, &mut self.given_up);
        }
        let level = lane.and_then(|lane| self.advance(lane));
        Poll::Ready((finished, level))
    }

    fn drop_waiting(&mut self, is_wanted: impl Fn(Lease) -> bool) -> Vec<Lease> {
        let mut dropped = Vec::new();
        for lane in self.by_key.values_mut() {
            lane.full &= !drop_unwanted(&mut lane.waiting, |task| task.lease, &is_wanted, &mut dropped);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use futures_util::task::noop_waker_ref;
    use proptest::prelude::*;
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;
    use tokio::sync::oneshot;

    use super::*;

    fn record(key: Option<&str>, offset: i64) -> Record<'static> {
        let key = key.map(|key| key.as_bytes().to_vec());
        Record::from(OwnedMessage::new(Some(b"{}".to_vec()), key, "t".into(), Timestamp::NotAvailable, 0, offset, None))
    }

    fn lease(offset: i64) -> Lease {
        Lease { slot: 0, epoch: 1, offset, bytes: 1 }
    }

    /// Work that each test finishes by hand, in any order.
    #[derive(Clone, Default)]
    struct Bench(Rc<RefCell<Vec<Job>>>);

    type Job = (i64, oneshot::Sender<()>);

    impl Bench {
        fn start<'c>(&self, task: Task<'c>) -> impl Future<Output = TaskEnd<()>> + use<'c> {
            let (sender, finish) = oneshot::channel();
            self.0.borrow_mut().push((task.lease.offset, sender));
            async move {
                let _ = finish.await;
                task.finish(Verdict::Done(()))
            }
        }

        fn running(&self) -> Vec<i64> {
            self.0.borrow().iter().map(|(offset, _)| *offset).collect()
        }

        fn finish(&self, index: usize) -> i64 {
            let (offset, sender) = self.0.borrow_mut().remove(index);
            sender.send(()).unwrap();
            offset
        }
    }

    proptest! {
        #[test]
        fn records_of_a_key_run_one_at_a_time_and_in_order(keys in prop::collection::vec(prop::option::weighted(0.9, 0usize..5), 1..60), picks: Vec<prop::sample::Index>) {
            let names = ["a", "b", "c", "d", "e"];
            let bench = Bench::default();
            let starter = bench.clone();
            let mut lanes = Lanes::new(move |task| starter.start(task), |_| {}, 1_000);
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

    #[test]
    fn a_lane_says_when_it_is_full_and_when_it_is_half_empty_again() {
        let bench = Bench::default();
        let starter = bench.clone();
        let mut lanes = Lanes::new(move |task| starter.start(task), |_| {}, 4);
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
        let mut lanes = Lanes::new(move |task| starter.start(task), announce, 4);
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
        let mut lanes = Lanes::new(move |task| starter.start(task), |_| {}, 4);
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
        let mut lanes = Lanes::new(start, |_| {}, 4);
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
