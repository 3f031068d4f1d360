//! The keyed scheduler: records of one key run one after the other, records of different keys at the same time.
//!
//! A key has a *key queue* while a record of it is in flight; records that come meanwhile wait in it. Queues are told
//! apart by a hash of partition and key: two keys that collide share a queue, which costs parallelism but no order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use foldhash::fast::RandomState;
use futures_util::Stream;
use futures_util::stream::FuturesUnordered;
use millrace_kafka::Record;

use crate::assignment::RecordHandle;
use crate::options::OrderKey;
use crate::processor::DestinationQueues;
use crate::scheduler::key_queue::{KeyQueue, Task, TaskEnd, Waited};
use crate::scheduler::{Backpressure, Completion, Scheduler, SpilledRead, TaskOutcome, drop_revoked};
use crate::spill::index::{ReadRequest, SpillIndex, WaitReason};
use crate::spill::pressure::MemoryPressure;

/// What happens to records that come to a full key queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// Their partition is paused.
    Pause,
    /// They are spilled.
    Spill,
}

/// The keyed scheduler. `start` makes the future that runs a task.
pub(crate) struct KeyedScheduler<'c, S, F, T> {
    start: S,
    /// The processor's destination queues, where it has any.
    destinations: Option<&'c dyn DestinationQueues>,
    /// Names the key of records without one.
    order_key: Option<OrderKey>,
    running: FuturesUnordered<F>,
    by_key: HashMap<u64, KeyQueue<'c>, RandomState>,
    index: SpillIndex,
    /// How many records are spilled.
    spilled: usize,
    /// Records that left flight without having run.
    left: Vec<Completion<T>>,
    hasher: RandomState,
    /// How many records wait in a key queue before it overflows.
    key_queue_records: usize,
    overflow: Overflow,
}

impl<'c, S, F, T> KeyedScheduler<'c, S, F, T>
where
    S: Fn(Task<'c>) -> F,
    F: Future<Output = TaskEnd<T>>,
{
    pub(crate) fn new(
        start: S,
        destinations: Option<&'c dyn DestinationQueues>,
        order_key: Option<OrderKey>,
        pressure: MemoryPressure,
        key_queue_records: usize,
        overflow: Overflow,
    ) -> Self {
        Self {
            start,
            destinations,
            order_key,
            running: FuturesUnordered::new(),
            by_key: HashMap::default(),
            index: SpillIndex::new(pressure),
            spilled: 0,
            left: Vec::new(),
            hasher: RandomState::default(),
            key_queue_records,
            overflow,
        }
    }

    fn start(&self, task: Task<'c>) {
        self.running.push((self.start)(task));
    }

    fn key_hash(&self, handle: RecordHandle, record: &Record<'_>) -> u64 {
        let of_key = |key: &[u8]| self.hasher.hash_one((handle.slot, key));
        if let Some(key) = record.key() {
            return of_key(key);
        }
        let named = self.order_key.and_then(|order_key| order_key(record));
        // Without any key, records have no order among each other.
        named.map_or_else(|| self.hasher.hash_one((handle.slot, handle.offset)), |key| of_key(&key))
    }

    /// Starts the key's next record.
    fn advance(&mut self, key_hash: u64) -> Option<Backpressure> {
        let Entry::Occupied(mut occupied) = self.by_key.entry(key_hash) else { return None };
        let queue = occupied.get_mut();
        let next = queue.advance(key_hash, &mut self.index);
        let backpressure = match self.overflow {
            Overflow::Pause => queue.backpressure(self.key_queue_records),
            Overflow::Spill => None,
        };
        if queue.is_idle() {
            occupied.remove();
        }
        if let Some(task) = next {
            self.start(task);
        }
        backpressure
    }

    /// Completes tasks whose records now wait on their topic.
    fn spill_all(&mut self, waiting: Vec<Task<'c>>) {
        self.spilled += waiting.len();
        for task in waiting {
            if task.waited != Waited::Long {
                on_queued(self.destinations, &task.record);
            }
            self.left.push(Completion { handle: task.handle, outcome: TaskOutcome::Spilled(None) });
        }
    }

    fn ended(&mut self, end: &TaskEnd<T>) -> Option<Backpressure> {
        let handle = end.completion.handle;
        if let TaskOutcome::Spilled(Some(request)) = end.completion.outcome {
            self.spilled += 1;
            let queue = self.by_key.entry(end.key_hash).or_insert_with(KeyQueue::new);
            let waiting = queue.spill(end.key_hash, handle, request, &mut self.index);
            self.spill_all(waiting);
            return None;
        }
        if matches!(end.completion.outcome, TaskOutcome::Abandoned)
            && let Some(queue) = self.by_key.get_mut(&end.key_hash)
        {
            // What waits behind an abandoned record must not overtake it. Records of a newer epoch may wait here as
            // well: they are still owned, and the abandoned record is read again among them.
            let mut abandoned = Vec::new();
            drop_revoked(&mut queue.waiting, |task| task.handle, |other| other.epoch != handle.epoch, &mut abandoned);
            let completion = |handle| Completion { handle, outcome: TaskOutcome::Abandoned };
            self.left.extend(abandoned.into_iter().map(completion));
        }
        self.advance(end.key_hash)
    }
}

fn on_queued(destinations: Option<&dyn DestinationQueues>, record: &Record<'_>) {
    if let Some(destinations) = destinations {
        destinations.on_queued(record);
    }
}

impl<'c, S, F, T> Scheduler<'c> for KeyedScheduler<'c, S, F, T>
where
    S: Fn(Task<'c>) -> F,
    F: Future<Output = TaskEnd<T>>,
{
    type Product = T;

    /// The record starts at once, or waits for an earlier one of its key.
    fn take(&mut self, handle: RecordHandle, record: Record<'c>) -> Option<Backpressure> {
        let key_hash = self.key_hash(handle, &record);
        let task = Task { handle, record, is_deleted: false, resume_token: None, key_hash, waited: Waited::No };
        match self.by_key.entry(key_hash) {
            Entry::Vacant(vacant) => {
                vacant.insert(KeyQueue::new());
                self.start(task);
                None
            }
            Entry::Occupied(mut occupied) => {
                let queue = occupied.get_mut();
                if self.overflow == Overflow::Pause {
                    queue.push(task);
                    return queue.backpressure(self.key_queue_records);
                }
                if let Some(task) = queue.push_up_to(self.key_queue_records, task) {
                    self.spill_all(vec![task]);
                }
                None
            }
        }
    }

    fn scan_queued(&mut self) {
        for task in self.by_key.values_mut().flat_map(|queue| &mut queue.waiting) {
            task.waited = match task.waited {
                Waited::No => Waited::Once,
                Waited::Once => {
                    on_queued(self.destinations, &task.record);
                    Waited::Long
                }
                Waited::Long => Waited::Long,
            };
        }
    }

    fn poll_completion(&mut self, context: &mut Context<'_>) -> Poll<(Completion<T>, Option<Backpressure>)> {
        if let Some(completion) = self.left.pop() {
            return Poll::Ready((completion, None));
        }
        let Some(end) = ready!(Pin::new(&mut self.running).poll_next(context)) else {
            return Poll::Pending;
        };
        let backpressure = self.ended(&end);
        Poll::Ready((end.completion, backpressure))
    }

    fn drop_queued(&mut self, is_owned: impl Fn(RecordHandle) -> bool) -> Vec<RecordHandle> {
        let mut dropped = Vec::new();
        self.index.retain(&is_owned);
        self.by_key.retain(|&key_hash, queue| {
            let spilled = queue.spilled();
            queue.retain(&is_owned, &mut dropped);
            self.spilled -= spilled - queue.spilled();
            queue.request_read(key_hash, &mut self.index);
            !queue.is_idle()
        });
        dropped
    }

    fn relieve_pressure(&mut self) {
        let Self { by_key, index, .. } = self;
        let waiting = by_key.values_mut().flat_map(|queue| queue.relieve_pressure(index)).collect();
        self.spill_all(waiting);
    }

    fn spilled(&self) -> usize {
        self.spilled
    }

    fn next_read(&mut self) -> Option<ReadRequest> {
        if self.spilled == 0 {
            return None;
        }
        let capacity = |queue| self.destinations.map_or(usize::MAX, |destinations| destinations.capacity(queue));
        self.index.next(capacity)
    }

    fn accept_spilled(
        &mut self,
        reason: WaitReason,
        handle: RecordHandle,
        read: SpilledRead<'c>,
    ) -> Result<(), RecordHandle> {
        let Some(spilled) = self.index.get(reason, handle) else { return Err(handle) };
        let Entry::Occupied(mut occupied) = self.by_key.entry(spilled.key_hash) else { return Err(handle) };
        let queue = occupied.get_mut();
        if !queue.take_first(handle) {
            return Err(handle);
        }
        self.index.remove(reason, handle);
        self.spilled -= 1;
        let task = Task {
            handle,
            record: read.record,
            is_deleted: read.is_deleted,
            resume_token: Some(spilled.resume_token),
            key_hash: spilled.key_hash,
            waited: Waited::Long,
        };
        if let Some(task) = queue.accept_spilled(task) {
            self.start(task);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
