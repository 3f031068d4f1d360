//! The engine, its assignment, its commits and its spill beside a model of a group: whatever comes in whatever order, nothing is
//! lost, a key keeps its order, and no offset is committed ahead of what is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Context;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{StreamExt as _, poll_fn};
use futures_util::task::noop_waker_ref;
use millrace_domain::record_count::{metadata, read_metadata};
use proptest::prelude::*;
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::OwnedMessage;
use rdkafka::{Timestamp, TopicPartitionList};
use tokio::sync::oneshot;

use super::*;
use crate::commit::group::GroupCommitter;
use crate::context::{Events, RebalanceEvent};
use crate::dlq::cause::Cause;
use crate::offset_map::CompletedOffsets;
use crate::processor::DestinationQueues;
use crate::scheduler::SpillRequest;
use crate::scheduler::key_queue::{Task, TaskEnd};
use crate::scheduler::keyed::{KeyedScheduler, Overflow};
use crate::spill::ReadResult;
use crate::start_offsets::{StartOffset, StartOffsets};

const TOPIC: &str = "orders";
const PARTITIONS: usize = 2;

/// What may happen.
#[derive(Debug, Clone)]
enum Event {
    /// A record is written, behind so many offsets that are none.
    Produce {
        partition: usize,
        key: u8,
        markers: i64,
    },
    /// The client delivers so many records.
    Fetch(usize),
    /// A running task ends.
    Finish {
        task: usize,
        how: End,
    },
    /// Time passes.
    Tick(u64),
    /// The broker takes the oldest commit that is on its way, or refuses it.
    Answer {
        is_taken: bool,
    },
    /// Partitions are given to this member, are taken away, or were taken away without a word.
    Assign(u8),
    Revoke(u8),
    Lose(u8),
    /// Another member processes records of a partition that it owns.
    Elsewhere {
        partition: usize,
        records: usize,
    },
    /// Look-ups of start offsets, or reads of what is spilled, fail or take their time from now on.
    Trouble {
        lookups: bool,
        reads: bool,
    },
    /// The destination has so many places.
    Capacity(usize),
    /// The process is told to stop, or is killed; another one follows.
    Stop,
    Kill,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Done,
    Letter,
    /// Its destination has no place.
    Defer,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let partition = 0..PARTITIONS;
    let end = prop_oneof![6 => Just(End::Done), 1 => Just(End::Letter), 3 => Just(End::Defer)];
    let event = prop_oneof![
        8 => (partition.clone(), 0..3_u8, prop_oneof![4 => Just(0), 1 => 1..3_i64])
            .prop_map(|(partition, key, markers)| Event::Produce { partition, key, markers }),
        6 => (1..8_usize).prop_map(Event::Fetch),
        12 => (0..6_usize, end).prop_map(|(task, how)| Event::Finish { task, how }),
        5 => prop_oneof![Just(5), Just(100), Just(1_100)].prop_map(Event::Tick),
        4 => prop::bool::weighted(0.8).prop_map(|is_taken| Event::Answer { is_taken }),
        4 => (1..4_u8).prop_map(Event::Assign),
        2 => (1..4_u8).prop_map(Event::Revoke),
        1 => (1..4_u8).prop_map(Event::Lose),
        1 => (partition, 1..4_usize).prop_map(|(partition, records)| Event::Elsewhere { partition, records }),
        1 => any::<(bool, bool)>().prop_map(|(lookups, reads)| Event::Trouble { lookups, reads }),
        1 => (0..3_usize).prop_map(Event::Capacity),
        1 => Just(Event::Stop),
        1 => Just(Event::Kill),
    ];
    prop::collection::vec(event, 10..80)
}

/// A partition, as the broker and this member's client have it.
#[derive(Default)]
struct Log {
    /// Keys by offset; offsets between are none.
    keys: BTreeMap<i64, u8>,
    end: i64,
    committed: Option<(i64, String)>,
    done: BTreeSet<i64>,
    /// Whether this member owns it.
    is_ours: bool,
    /// Where the client reads on, once it was told.
    position: Option<i64>,
    has_delivered: bool,
    is_paused: bool,
}

impl Log {
    /// The next record for the client, and whether it is delivered.
    fn next(&self) -> Option<(i64, u8)> {
        let from = self.position.filter(|_| !self.is_paused)?;
        self.keys.range(from..).next().map(|(&offset, &key)| (offset, key))
    }

    fn completed(&self) -> CompletedOffsets {
        self.committed.as_ref().map_or(CompletedOffsets::below(0), |(offset, text)| {
            let (_, done) = read_metadata(*offset, text);
            CompletedOffsets::read(*offset, done).expect("what was committed is read")
        })
    }

    /// What is committed must be done: all below the offset, and what the metadata names beyond it.
    fn commit(&mut self, offset: i64, text: &str) {
        let before = self.committed.replace((offset, text.to_owned()));
        assert!(before.is_none_or(|(before, _)| before <= offset), "a commit goes back to {offset}");
        let completed = self.completed();
        for record in self.keys.keys().filter(|record| completed.contains(**record)) {
            assert!(self.done.contains(record), "{record} is committed by {offset} {text:?}, and not done");
        }
    }
}

#[derive(Default)]
struct World {
    logs: Vec<Log>,
    /// Records that the client may still deliver.
    fetched: usize,
    /// Commits on their way, and the group's generation in which each was sent.
    sent: Vec<(u64, TopicPartitionList)>,
    generation: u64,
    is_rebalancing: bool,
    is_lost: bool,
    trouble: Trouble,
    capacity: usize,
    running: Vec<Running>,
}

/// What does not answer.
#[derive(Default)]
struct Trouble {
    lookups: bool,
    reads: bool,
}

/// A task that runs.
struct Running {
    handle: RecordHandle,
    partition: usize,
    offset: i64,
    key: u8,
    end: oneshot::Sender<TaskOutcome<()>>,
}

/// The broker, the coordinator and the client of this member.
#[derive(Clone, Default)]
struct Group(Arc<(Mutex<World>, Events)>);

impl Group {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.0.lock().expect("no check failed before")
    }

    /// A task starts: all earlier records of its key are done, and none of them runs beside it.
    fn start<'c>(&self, task: Task<'c>) -> BoxFuture<'c, TaskEnd<()>> {
        let (end, ended) = oneshot::channel();
        let (handle, offset) = (task.handle, task.record.offset());
        let partition = usize::try_from(task.record.partition()).expect("a partition");
        let world = &mut *self.world();
        let log = &world.logs[partition];
        let key = log.keys[&offset];
        for (earlier, _) in log.keys.range(..offset).filter(|(_, of)| **of == key) {
            assert!(log.done.contains(earlier), "{offset} of partition {partition} overtakes {earlier}");
        }
        let is_beside =
            |other: &&Running| (other.partition, other.key, other.handle.epoch) == (partition, key, handle.epoch);
        if let Some(other) = world.running.iter().find(is_beside) {
            assert!(other.end.is_closed(), "{offset} of partition {partition} runs beside {}", other.offset);
        }
        world.running.push(Running { handle, partition, offset, key, end });
        async move { task.finish(ended.await.unwrap_or(TaskOutcome::Abandoned)) }.boxed()
    }

    fn list(&self, mask: u8, is: impl Fn(&Log) -> bool) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, log) in self.world().logs.iter().enumerate() {
            if mask >> partition & 1 == 1 && is(log) {
                list.add_partition(TOPIC, i32::try_from(partition).expect("few partitions"));
            }
        }
        list
    }

    fn for_each(&self, list: &TopicPartitionList, act: impl Fn(&mut Log, rdkafka::Offset)) {
        let mut world = self.world();
        for element in list.elements() {
            act(&mut world.logs[usize::try_from(element.partition()).expect("a partition")], element.offset());
        }
    }

    /// The client and its process are gone.
    fn leave(&self) {
        while self.0.1.rebalances().next().is_some() {}
        while self.0.1.commit_answers().next().is_some() {}
        let world = &mut *self.world();
        (world.is_rebalancing, world.is_lost) = (false, false);
        world.sent.clear();
        world.running.clear();
        for log in &mut world.logs {
            (log.is_ours, log.position, log.is_paused) = (false, None, false);
        }
    }

    /// Tells the client of a rebalance, one at a time.
    fn rebalance(&self, list: TopicPartitionList, event: impl Fn(TopicPartitionList) -> RebalanceEvent) {
        if list.count() > 0 && !std::mem::replace(&mut self.world().is_rebalancing, true) {
            self.0.1.rebalances().push(event(list));
        }
    }

    /// Whether a rebalance may begin.
    fn is_stable(&self) -> bool {
        !self.world().is_rebalancing
    }

    fn answer(&self, is_taken: bool) {
        let mut world = self.world();
        if world.sent.is_empty() {
            return;
        }
        let (generation, list) = world.sent.remove(0);
        let elements = list.elements();
        let partition = |of: i32| usize::try_from(of).expect("a partition");
        // The coordinator refuses what another generation sent.
        let is_current = generation == world.generation;
        let is_taken =
            is_taken && is_current && elements.iter().all(|of| world.logs[partition(of.partition())].is_ours);
        for element in elements.iter().filter(|_| is_taken) {
            let rdkafka::Offset::Offset(offset) = element.offset() else { panic!("an offset is committed") };
            world.logs[partition(element.partition())].commit(offset, element.metadata());
        }
        drop(world);
        let refused = Err(RdKafkaError::ConsumerCommit(Code::RebalanceInProgress));
        self.0.1.commit_answers().push(if is_taken { Ok(()) } else { refused });
    }

    /// Another member does what is open, in order, and commits it.
    fn elsewhere(&self, partition: usize, records: usize) {
        let log = &mut self.world().logs[partition];
        if log.is_ours {
            return;
        }
        let mut completed = log.completed();
        let open: Vec<i64> = log.keys.keys().copied().filter(|record| !completed.contains(*record)).collect();
        for record in open.into_iter().take(records) {
            log.done.insert(record);
            completed.insert(completed.frontier(), completed.frontier());
            completed.insert(record, record + 1);
        }
        // What lies between records is none.
        let next =
            log.keys.range(completed.frontier()..).map(|(&record, _)| record).find(|&of| !completed.contains(of));
        completed.insert(completed.frontier(), next.unwrap_or(log.end));
        let text = metadata(completed.frontier(), 0, &completed.encode_metadata_that_fits());
        log.commit(completed.frontier(), &text);
    }

    fn is_all_committed(&self) -> bool {
        self.world().logs.iter().all(|log| log.committed.as_ref().map_or(0, |(offset, _)| *offset) == log.end)
    }
}

impl Client for Group {
    fn events(&self) -> &Events {
        &self.0.1
    }

    fn positions(&self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, log) in self.world().logs.iter_mut().enumerate() {
            let Some(position) = log.position else { continue };
            // It passes markers once it has delivered something.
            let position = log.keys.range(position..).next().map_or(log.end, |(&record, _)| record);
            let offset = if log.has_delivered { rdkafka::Offset::Offset(position) } else { rdkafka::Offset::Invalid };
            list.add_partition_offset(TOPIC, i32::try_from(partition).expect("few partitions"), offset)?;
        }
        Ok(list)
    }

    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.for_each(partitions, |log, offset| {
            log.position = Some(if let rdkafka::Offset::Offset(offset) = offset { offset } else { 0 });
            log.has_delivered = false;
        });
        self.world().is_rebalancing = false;
        Ok(())
    }

    fn unassign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.for_each(partitions, |log, _| (log.is_ours, log.position, log.is_paused) = (false, None, false));
        let mut world = self.world();
        (world.is_rebalancing, world.is_lost) = (false, false);
        world.generation += 1;
        Ok(())
    }

    fn seek(&self, _: TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        unreachable!("the group's offsets are the only ones")
    }

    fn pause(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.for_each(partitions, |log, _| log.is_paused = true);
        Ok(())
    }

    fn resume(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.for_each(partitions, |log, _| log.is_paused = false);
        Ok(())
    }

    fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        let mut world = self.world();
        let generation = world.generation;
        world.sent.push((generation, offsets.clone()));
        Ok(())
    }

    fn is_assignment_lost(&self) -> bool {
        self.world().is_lost
    }

    fn is_member(&self) -> bool {
        true
    }
}

impl OffsetSource for Group {
    fn start_offsets(&self, partitions: Vec<(String, i32)>) -> StartOffsets<'_> {
        std::future::poll_fn(move |_| {
            let world = self.world();
            if world.trouble.lookups {
                return Poll::Pending;
            }
            let start = |(_, partition): &(String, i32)| {
                let log = &world.logs[usize::try_from(*partition).expect("a partition")];
                if log.committed.is_none() {
                    return StartOffset::Unknown;
                }
                StartOffset::Committed { done: log.completed(), records: 0 }
            };
            Poll::Ready(Ok(partitions.iter().map(start).collect()))
        })
        .boxed()
    }
}

impl DestinationQueues for Group {
    fn on_queued(&self, _: &Record<'_>) {}

    fn capacity(&self, _: usize) -> usize {
        self.world().capacity
    }
}

impl SpilledRecords for Group {
    fn read(&mut self, _: &str, partition: i32, offsets: Vec<i64>) -> BoxFuture<'static, Result<ReadResult, String>> {
        if self.world().trouble.reads {
            return ready(Err("no broker".to_owned())).boxed();
        }
        let records = offsets.into_iter().map(|offset| record(partition, offset, self.key(partition, offset)));
        ready(Ok(ReadResult { records: records.collect(), lost: Vec::new() })).boxed()
    }

    fn close(&mut self) {}
}

impl Queries for Group {
    fn tick(&mut self) {}

    fn end_of(&self, _: &str, _: i32) -> Option<i64> {
        None
    }

    fn ask_ends(&mut self, _: Option<TopicPartitionList>) {}

    fn is_lost(&mut self, _: bool) -> bool {
        false
    }
}

impl Group {
    fn key(&self, partition: i32, offset: i64) -> u8 {
        self.world().logs[usize::try_from(partition).expect("a partition")].keys[&offset]
    }

    /// What the client delivers.
    fn records<'c>(&self) -> Records<'c> {
        let group = self.clone();
        poll_fn(move |_| {
            let world = &mut *group.world();
            if world.fetched == 0 {
                return Poll::Pending;
            }
            for (partition, log) in world.logs.iter_mut().enumerate() {
                if let Some((offset, key)) = log.next() {
                    (log.position, log.has_delivered) = (Some(offset + 1), true);
                    world.fetched -= 1;
                    let partition = i32::try_from(partition).expect("few partitions");
                    return Poll::Ready(Some(Ok(record(partition, offset, key))));
                }
            }
            Poll::Pending
        })
        .boxed()
    }
}

fn record(partition: i32, offset: i64, key: u8) -> Record<'static> {
    let (value, key) = (Some(vec![0; 10]), Some(vec![key]));
    OwnedMessage::new(value, key, TOPIC.to_owned(), Timestamp::NotAvailable, partition, offset, None).into()
}

/// Serves what can be served; whether the engine has ended.
fn serve<'c, S, C>(engine: &mut Engine<'c, S, C>) -> bool
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    let mut context = Context::from_waker(noop_waker_ref());
    // More wake-ups than there can be reasons for are a loop that does not wait.
    let mut wakes = 0;
    while engine.poll_work(&mut context).is_ready() {
        wakes += 1;
        assert!(wakes < 1_000, "it spins");
        if engine.turn().expect("nothing that cannot be mended has happened") {
            return true;
        }
    }
    engine.turn().expect("nothing that cannot be mended has happened")
}

/// Runs a process until it ends, or the events do; whether there are more.
async fn run(group: &Group, events: &mut std::vec::IntoIter<Event>, options: &ConsumerOptions) -> bool {
    let subscription = Subscription::new("model", &[TOPIC]);
    let (progress, metrics) = (Progress::default(), MemberMetrics::new(&subscription));
    let context = EngineContext {
        client: group,
        offset_source: group,
        assignment: AssignmentWatch::default(),
        pressure: MemoryPressure::default(),
        options,
        subscription: &subscription,
        progress: &progress,
        metrics,
    };
    let scheduler = KeyedScheduler::new(
        |task| group.start(task),
        Some(group as &dyn DestinationQueues),
        None,
        context.pressure.clone(),
        options.key_queue_records,
        Overflow::Spill,
    );
    let committer = GroupCommitter::new(group, &progress, &context.metrics, &subscription);
    let (queries, spilled) = (Box::new(group.clone()), Box::new(group.clone()));
    let mut engine = Engine::new(&context, group.records(), queries, spilled, scheduler, committer);
    // All that happened, and then what brings everything to its end.
    let finale = std::iter::repeat_with(|| {
        let finishes = (0..8).map(|_| Event::Finish { task: 0, how: End::Done });
        let calm = [
            Event::Capacity(10),
            Event::Trouble { lookups: false, reads: false },
            Event::Assign(u8::MAX),
            Event::Fetch(100),
            Event::Answer { is_taken: true },
            Event::Tick(10_000),
        ];
        finishes.chain(calm)
    });
    let mut finale = finale.take(100).flatten();
    loop {
        let Some(event) = events.next().or_else(|| if group.is_all_committed() { None } else { finale.next() }) else {
            return false;
        };
        match event {
            Event::Produce { partition, key, markers } => {
                let log = &mut group.world().logs[partition];
                log.keys.insert(log.end + markers, key);
                log.end += markers + 1;
            }
            Event::Fetch(records) => group.world().fetched += records,
            Event::Finish { task, how } => finish(group, &context.assignment, task, how),
            Event::Tick(milliseconds) => {
                tokio::time::advance(Duration::from_millis(milliseconds)).await;
                engine.tick();
            }
            Event::Answer { is_taken } => group.answer(is_taken),
            Event::Assign(mask) if group.is_stable() => {
                let list = group.list(mask, |log| !log.is_ours);
                group.for_each(&list, |log, _| log.is_ours = true);
                group.rebalance(list, RebalanceEvent::Assign);
            }
            Event::Revoke(mask) if group.is_stable() => {
                group.rebalance(group.list(mask, |log| log.is_ours), RebalanceEvent::Revoke);
            }
            Event::Lose(mask) if group.is_stable() => {
                let list = group.list(mask, |log| log.is_ours);
                group.world().is_lost = list.count() > 0;
                group.world().generation += u64::from(list.count() > 0);
                group.for_each(&list, |log, _| log.is_ours = false);
                group.rebalance(list, RebalanceEvent::Revoke);
            }
            Event::Assign(_) | Event::Revoke(_) | Event::Lose(_) => {}
            Event::Elsewhere { partition, records } => group.elsewhere(partition, records),
            Event::Trouble { lookups, reads } => group.world().trouble = Trouble { lookups, reads },
            Event::Capacity(places) => group.world().capacity = places,
            Event::Stop if engine.stop.is_draining() => {}
            Event::Stop => engine.begin_drain().expect("it stops"),
            Event::Kill => return true,
        }
        if serve(&mut engine) {
            return true;
        }
    }
}

/// Ends a running task as its processor would.
fn finish(group: &Group, assignment: &AssignmentWatch, task: usize, how: End) {
    let mut world = group.world();
    world.running.retain(|running| !running.end.is_closed());
    if world.running.is_empty() {
        return;
    }
    let task = task % world.running.len();
    let Running { handle, partition, offset, end, .. } = world.running.remove(task);
    let outcome = match how {
        End::Defer if assignment.is_revoked(handle) => TaskOutcome::Abandoned,
        End::Defer => TaskOutcome::Spilled(Some(SpillRequest { queue: 0, resume_token: 1 })),
        End::Letter => TaskOutcome::DeadLettered { cause: Cause::AttemptsExhausted, letter: None },
        End::Done => TaskOutcome::Done(()),
    };
    if matches!(how, End::Done | End::Letter) {
        world.logs[partition].done.insert(offset);
    }
    drop(world);
    assert!(end.send(outcome).is_ok(), "the task runs");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn nothing_is_lost_or_overtakes_and_no_commit_runs_ahead(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let group = Group::default();
            group.world().logs.resize_with(PARTITIONS, Log::default);
            let options = ConsumerOptions {
                max_in_flight: 6,
                max_spilled: 20,
                key_queue_records: 2,
                drain_deadline: Duration::from_secs(5),
                ..ConsumerOptions::default()
            };
            let mut events = events.into_iter();
            while run(&group, &mut events, &options).await {
                group.leave();
            }
            for log in &group.world().logs {
                let lost: Vec<_> = log.keys.keys().filter(|record| !log.done.contains(record)).collect();
                assert!(lost.is_empty(), "{lost:?} were lost");
            }
            assert!(group.is_all_committed(), "all is done, and not all committed");
        });
    }
}
