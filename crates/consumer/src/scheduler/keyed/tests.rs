//! The keyed scheduler's order: no key runs twice at a time or out of order, nothing is lost or repeated.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Mutex;

use futures_util::task::noop_waker_ref;
use proptest::prelude::*;
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use tokio::sync::oneshot;

use super::*;
use crate::scheduler::SpillRequest;

fn record(key: Option<&str>, offset: i64) -> Record<'static> {
    let key = key.map(|key| key.as_bytes().to_vec());
    Record::from(OwnedMessage::new(Some(b"{}".to_vec()), key, "t".into(), Timestamp::NotAvailable, 0, offset, None))
}

fn handle(offset: i64) -> RecordHandle {
    RecordHandle { slot: 0, epoch: 1, offset, bytes: 1 }
}

/// A scheduler without destination queues that pauses.
fn pausing<'c, F: Future<Output = TaskEnd<()>>>(
    start: impl Fn(Task<'c>) -> F,
    key_queue_records: usize,
) -> KeyedScheduler<'c, impl Fn(Task<'c>) -> F, F, ()> {
    KeyedScheduler::new(start, None, None, MemoryPressure::default(), key_queue_records, Overflow::Pause)
}

/// Destination queues that always have the same capacity, and note what was queued.
#[derive(Default)]
struct Destinations {
    capacity: usize,
    queued: Mutex<Vec<i64>>,
}

impl Destinations {
    fn with_capacity(capacity: usize) -> Self {
        Self { capacity, queued: Mutex::default() }
    }

    fn take_queued(&self) -> Vec<i64> {
        std::mem::take(&mut self.queued.lock().unwrap())
    }
}

impl DestinationQueues for Destinations {
    fn on_queued(&self, record: &Record<'_>) {
        self.queued.lock().unwrap().push(record.offset());
    }

    fn capacity(&self, _queue: usize) -> usize {
        self.capacity
    }
}

/// Tasks that each test completes by hand, in any order.
#[derive(Clone, Default)]
struct Bench(Rc<RefCell<Vec<Job>>>);

type Job = (i64, oneshot::Sender<Option<SpillRequest>>);

impl Bench {
    fn start<'c>(&self, task: Task<'c>) -> impl Future<Output = TaskEnd<()>> + use<'c> {
        let (sender, finish) = oneshot::channel();
        self.0.borrow_mut().push((task.handle.offset, sender));
        async move {
            match finish.await.unwrap() {
                None => task.finish(TaskOutcome::Done(())),
                Some(request) => task.finish(TaskOutcome::Spilled(Some(request))),
            }
        }
    }

    fn running(&self) -> Vec<i64> {
        self.0.borrow().iter().map(|(offset, _)| *offset).collect()
    }

    fn finish(&self, index: usize) -> i64 {
        self.end(index, None)
    }

    fn end(&self, index: usize, request: Option<SpillRequest>) -> i64 {
        let (offset, sender) = self.0.borrow_mut().remove(index);
        sender.send(request).unwrap();
        offset
    }
}

proptest! {
    #[test]
    fn records_of_a_key_run_one_at_a_time_and_in_order(keys in prop::collection::vec(prop::option::weighted(0.9, 0usize..5), 1..60), picks: Vec<prop::sample::Index>) {
        let names = ["a", "b", "c", "d", "e"];
        let bench = Bench::default();
        let starter = bench.clone();
        let mut scheduler = pausing(move |task| starter.start(task), 1_000);
        for (offset, key) in (0..).zip(&keys) {
            scheduler.take(handle(offset), record(key.map(|key| names[key]), offset));
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
            let completed = bench.finish(index);
            let Poll::Ready((task, _)) = scheduler.poll_completion(&mut context) else { panic!("nothing completed") };
            prop_assert_eq!(task.handle.offset, completed);
            done.push(completed);
        }
        for key in 0..5 {
            let of_key: Vec<_> = done.iter().filter(|offset| keys[usize::try_from(**offset).unwrap()] == Some(key)).collect();
            prop_assert!(of_key.is_sorted(), "a key's records out of order");
        }
        prop_assert!(scheduler.by_key.is_empty(), "idle key queues are dropped");
    }
}

/// What may happen between one record and the next.
#[derive(Debug, Clone)]
enum Step {
    Take,
    Finish(usize),
    Spill(usize, usize),
    RelievePressure,
    Read { cut: usize, gone: Option<usize> },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Take),
        3 => (0usize..40).prop_map(Step::Finish),
        2 => (0usize..40, 0usize..2).prop_map(|(index, queue)| Step::Spill(index, queue)),
        1 => Just(Step::RelievePressure),
        3 => (0usize..6, prop::option::weighted(0.2, 0usize..6)).prop_map(|(cut, gone)| Step::Read { cut, gone }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn spilled_records_keep_key_order_and_none_is_lost_or_repeated(
        keys in prop::collection::vec(prop::option::weighted(0.9, 0usize..3), 1..40),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let names = ["a", "b", "c"];
        let record = |offset: i64| record(keys[usize::try_from(offset).unwrap()].map(|key| names[key]), offset);
        let (bench, pressure) = (Bench::default(), MemoryPressure::default());
        let starter = bench.clone();
        let destinations = Destinations::with_capacity(3);
        let start = move |task| starter.start(task);
        let mut scheduler = KeyedScheduler::new(start, Some(&destinations), None, pressure, 3, Overflow::Spill);
        let mut context = Context::from_waker(noop_waker_ref());
        let count = i64::try_from(keys.len()).unwrap();
        let (mut next, mut away, mut done) = (0, BTreeSet::new(), Vec::new());
        // In the end all that is left is done, one after the other.
        let rest = std::iter::repeat_with(|| {
            [Step::Take, Step::Read { cut: 9, gone: None }, Step::Finish(0)]
        });
        let mut steps = steps.into_iter().chain(rest.flatten());
        while done.len() < keys.len() {
            match steps.next().unwrap() {
                Step::Take if next < count => {
                    scheduler.take(handle(next), record(next));
                    next += 1;
                }
                Step::Finish(index) if !bench.running().is_empty() => {
                    bench.end(index % bench.running().len(), None);
                }
                Step::Spill(index, queue) if !bench.running().is_empty() => {
                    bench.end(index % bench.running().len(), Some(SpillRequest { queue, resume_token: 7 }));
                }
                Step::RelievePressure => scheduler.relieve_pressure(),
                Step::Read { cut, gone } => if let Some(request) = scheduler.next_read() {
                    prop_assert!(request.reason == WaitReason::Ready || request.offsets.len() <= 3);
                    let gone = gone.map(|gone| request.offsets[gone % request.offsets.len()]);
                    for offset in request.offsets.into_iter().take(cut) {
                        prop_assert!(away.contains(&offset), "read again without having been spilled");
                        let is_deleted = gone == Some(offset);
                        let record = if is_deleted { self::record(None, offset) } else { record(offset) };
                        let read = SpilledRead { record, is_deleted };
                        prop_assert!(scheduler.accept_spilled(request.reason, handle(offset), read).is_ok());
                        away.remove(&offset);
                    }
                }
                Step::Take | Step::Finish(_) | Step::Spill(..) => {}
            }
            while let Poll::Ready((Completion { handle, outcome }, _)) = scheduler.poll_completion(&mut context) {
                if matches!(outcome, TaskOutcome::Spilled(_)) {
                    prop_assert!(away.insert(handle.offset), "spilled twice");
                } else {
                    done.push(handle.offset);
                }
            }
            prop_assert_eq!(scheduler.spilled(), away.len());
            for key in 0..3 {
                let is_of_key = |offset: &&i64| keys[usize::try_from(**offset).unwrap()] == Some(key);
                prop_assert!(bench.running().iter().filter(is_of_key).count() <= 1, "two records of one key");
                prop_assert!(done.iter().filter(is_of_key).is_sorted(), "a key's records out of order");
            }
        }
        done.sort_unstable();
        prop_assert_eq!(done, (0..count).collect::<Vec<_>>());
        prop_assert!(scheduler.by_key.is_empty() && scheduler.next_read().is_none());
    }
}

#[test]
fn a_revoked_partitions_spill_is_dropped_and_a_token_comes_back() {
    let tokens = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&tokens);
    let start = move |task: Task<'static>| {
        seen.borrow_mut().push(task.resume_token);
        let is_new = task.resume_token.is_none();
        std::future::ready(if is_new {
            task.finish(TaskOutcome::Spilled(Some(SpillRequest { queue: 1, resume_token: 7 })))
        } else {
            task.finish(TaskOutcome::Done(()))
        })
    };
    let pressure = MemoryPressure::default();
    let destinations: &Destinations = Box::leak(Box::new(Destinations::with_capacity(9)));
    let mut scheduler = KeyedScheduler::new(start, Some(destinations), None, pressure.clone(), 4, Overflow::Spill);
    let mut context = Context::from_waker(noop_waker_ref());
    for offset in 0..2 {
        scheduler.take(RecordHandle { slot: 1, ..handle(offset) }, record(Some("k"), offset));
    }
    scheduler.take(handle(5), record(Some("k"), 5));
    while scheduler.poll_completion(&mut context).is_ready() {}
    assert_eq!(scheduler.spilled(), 3);
    assert!(scheduler.drop_queued(|handle| handle.slot == 0).is_empty(), "spilled records have left flight");
    assert_eq!(scheduler.spilled(), 1);
    let request = scheduler.next_read().unwrap();
    assert_eq!((request.reason, request.slot, &*request.offsets), (WaitReason::Destination(1), 0, &[5][..]));
    assert!(pressure.has_spilled(1));
    let read = SpilledRead { record: record(Some("k"), 5), is_deleted: false };
    scheduler.accept_spilled(request.reason, handle(5), read).unwrap();
    assert!(scheduler.poll_completion(&mut context).is_ready());
    assert_eq!(*tokens.borrow(), [None, None, Some(7)]);
    assert!(scheduler.by_key.is_empty());
    assert!(!pressure.has_spilled(1));
}

#[test]
fn a_key_queue_pauses_when_full_and_resumes_half_empty() {
    let bench = Bench::default();
    let starter = bench.clone();
    let mut scheduler = pausing(move |task| starter.start(task), 4);
    let levels: Vec<_> = (0..7).map(|offset| scheduler.take(handle(offset), record(Some("k"), offset))).collect();
    assert_eq!(levels, [None, None, None, None, Some(Backpressure::Full), None, None]);
    let mut context = Context::from_waker(noop_waker_ref());
    let mut drained = Vec::new();
    for _ in 0..7 {
        bench.finish(0);
        let Poll::Ready((_, level)) = scheduler.poll_completion(&mut context) else { panic!("nothing completed") };
        drained.push(level);
    }
    assert_eq!(drained, [None, None, None, Some(Backpressure::Drained), None, None, None]);
}

#[test]
fn a_record_queued_for_two_scans_is_announced_once() {
    let (bench, destinations) = (Bench::default(), Destinations::default());
    let starter = bench.clone();
    let start = move |task| starter.start(task);
    let mut scheduler =
        KeyedScheduler::new(start, Some(&destinations), None, MemoryPressure::default(), 4, Overflow::Spill);
    let mut scans = Vec::new();
    for offset in 0..4 {
        scheduler.take(handle(offset), record(Some("k"), offset));
        scheduler.scan_queued();
        scans.push(destinations.take_queued());
    }
    scheduler.scan_queued();
    scans.push(destinations.take_queued());
    scheduler.scan_queued();
    assert_eq!(scans, [vec![], vec![], vec![1], vec![2], vec![3]]);
    assert!(destinations.take_queued().is_empty());
}

#[test]
fn queued_records_of_a_revoked_partition_are_dropped() {
    let bench = Bench::default();
    let starter = bench.clone();
    let mut scheduler = pausing(move |task| starter.start(task), 4);
    for offset in 0..3 {
        scheduler.take(handle(offset), record(Some("k"), offset));
    }
    let dropped: Vec<_> =
        scheduler.drop_queued(|handle| handle.offset < 2).iter().map(|handle| handle.offset).collect();
    assert_eq!(dropped, [2]);
    assert_eq!(bench.running(), [0]);
}

#[test]
fn what_waits_behind_an_abandoned_record_is_abandoned_too() {
    let start = |task: Task<'static>| {
        let is_revoked = task.handle == handle(0);
        std::future::ready(task.finish(if is_revoked { TaskOutcome::Abandoned } else { TaskOutcome::Done(()) }))
    };
    let mut scheduler = pausing(start, 4);
    for (offset, key) in [(0, "a"), (1, "a"), (2, "b"), (3, "a")] {
        scheduler.take(handle(offset), record(Some(key), offset));
    }
    for offset in [10, 11] {
        scheduler.take(RecordHandle { epoch: 2, ..handle(offset) }, record(Some("a"), offset));
    }
    let mut context = Context::from_waker(noop_waker_ref());
    let mut ends = BTreeMap::new();
    while let Poll::Ready((completion, _)) = scheduler.poll_completion(&mut context) {
        ends.insert(completion.handle.offset, matches!(completion.outcome, TaskOutcome::Abandoned));
    }
    assert_eq!(ends, BTreeMap::from([(0, true), (1, true), (2, false), (3, true), (10, false), (11, false)]));
}

/// A record without a key, and one whose own key is the same, wait for each other.
#[test]
fn records_without_a_key_run_in_their_order_keys_order() {
    let order_key = |record: &Record<'_>| (record.offset() < 3).then(|| b"ann".to_vec());
    let bench = Bench::default();
    let start = |task| bench.start(task);
    let pressure = MemoryPressure::default();
    let mut scheduler = KeyedScheduler::new(start, None, Some(order_key), pressure, 4, Overflow::Pause);
    for (offset, key) in [(0, None), (1, Some("ann")), (2, None), (3, None), (4, None)] {
        scheduler.take(handle(offset), record(key, offset));
    }
    assert_eq!(bench.running(), [0, 3, 4], "only those without any key have no order");
    let mut context = Context::from_waker(noop_waker_ref());
    for running in [[3, 4, 1], [3, 4, 2]] {
        let first = bench.running().iter().position(|&offset| offset < 3).unwrap();
        bench.finish(first);
        assert!(scheduler.poll_completion(&mut context).is_ready());
        assert_eq!(bench.running(), running);
    }
}
