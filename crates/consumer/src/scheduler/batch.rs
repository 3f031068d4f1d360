//! The batch scheduler: a partition's records are stored in batches, one batch of a partition at a time.
//!
//! What arrives while a batch is being stored makes the next one: batches grow with the load by themselves. Where
//! [`BatchLimits::age`] says so, a batch that is not full waits for more. Each begins where the one before it ended. Where
//! that one was not stored, none follows it until the partition is assigned anew.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, Sleep};

use crate::assignment::RecordHandle;
use crate::options::BatchLimits;
use crate::scheduler::{Backpressure, Completion, Scheduler, TaskOutcome, drop_revoked};
use crate::start_offsets::StartOffset;
use millrace_kafka::Record;

/// Records of one partition, in order.
pub(crate) struct RecordBatch<'c> {
    pub(crate) handles: Vec<RecordHandle>,
    pub(crate) records: Vec<Record<'c>>,
    /// The offset that the store has if all earlier batches are stored, and nothing else; `None`: none.
    pub(crate) expected: Option<i64>,
}

/// The batch scheduler. `start` makes the future that stores a batch.
pub(crate) struct PartitionBatcher<'c, S, F> {
    start: S,
    running: FuturesUnordered<F>,
    /// By the partition's slot.
    queues: Vec<Queue<'c>>,
    /// Records of batches that ended.
    ended: VecDeque<Completion<()>>,
    limits: BatchLimits,
    /// When the first of the waiting batches has the age to begin.
    due: Option<Pin<Box<Sleep>>>,
}

#[derive(Default)]
struct Queue<'c> {
    waiting: VecDeque<(RecordHandle, Record<'c>)>,
    /// Keys and values of what waits.
    bytes: usize,
    /// When what waits has the age to begin; `None` where there is none, or it need not wait.
    due: Option<Instant>,
    /// The epoch in which the partition was assigned, or began anew because its log was truncated.
    epoch: u32,
    /// The stored offset that the next batch expects.
    expected: Option<i64>,
    /// Whether a batch of this epoch was not stored.
    is_broken: bool,
    is_busy: bool,
    is_full: bool,
}

impl<'c> Queue<'c> {
    /// Notes the end of a batch.
    fn ended(&mut self, completions: &[Completion<()>]) {
        self.is_busy = false;
        let is_stored = |finished: &Completion<()>| {
            matches!(finished.outcome, TaskOutcome::Done(()) | TaskOutcome::DeadLettered { .. })
        };
        let Some(last) = completions.last().filter(|last| last.handle.epoch == self.epoch) else { return };
        if completions.iter().all(is_stored) {
            self.expected = Some(last.handle.offset + 1);
        } else {
            self.is_broken = true;
        }
    }

    /// Whether a batch may begin, full or not.
    fn may_begin(&self) -> bool {
        !self.is_busy && !self.is_broken && !self.waiting.is_empty()
    }

    /// Whether what waits fills a batch.
    fn fills(&self, limits: &BatchLimits) -> bool {
        self.waiting.len() >= limits.records || self.bytes >= limits.bytes
    }

    /// Takes the records of the next batch.
    fn next_batch(&mut self, limits: &BatchLimits) -> RecordBatch<'c> {
        let (mut count, mut bytes) = (0, 0);
        for (handle, _) in self.waiting.iter().take(limits.records) {
            if bytes >= limits.bytes {
                break;
            }
            (count, bytes) = (count + 1, bytes + handle.bytes);
        }
        let (handles, records) = self.waiting.drain(..count).unzip();
        self.bytes -= bytes;
        if self.waiting.is_empty() {
            self.due = None;
        }
        RecordBatch { handles, records, expected: self.expected }
    }
}

impl<'c, S, F> PartitionBatcher<'c, S, F>
where
    S: Fn(RecordBatch<'c>) -> F,
    F: Future<Output = Vec<Completion<()>>>,
{
    /// Batches within these limits; a partition is paused while as much as a batch waits.
    pub(crate) fn new(start: S, limits: BatchLimits) -> Self {
        let (running, queues, ended) = (FuturesUnordered::new(), Vec::new(), VecDeque::new());
        Self { start, running, queues, ended, limits, due: None }
    }

    /// Begins a batch in each partition that has none under way and need not wait for more.
    fn begin(&mut self) {
        let limits = self.limits;
        // The clock is read only where a batch could begin.
        let mut now = None;
        for queue in self.queues.iter_mut().filter(|queue| queue.may_begin()) {
            let is_due = |due: Instant| due <= *now.get_or_insert_with(Instant::now);
            if queue.fills(&limits) || queue.due.is_none_or(is_due) {
                let batch = queue.next_batch(&limits);
                queue.is_busy = true;
                self.running.push((self.start)(batch));
            }
        }
    }

    /// Wakes the engine when the first of the waiting batches is due.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let waiting = self.queues.iter().filter(|queue| queue.may_begin());
        let Some(first) = waiting.filter_map(|queue| queue.due).min() else {
            self.due = None;
            return Poll::Pending;
        };
        let due = self.due.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(first)));
        if due.deadline() != first {
            due.as_mut().reset(first);
        }
        due.as_mut().poll(context)
    }

    fn queue(&mut self, slot: usize) -> &mut Queue<'c> {
        while self.queues.len() <= slot {
            self.queues.push(Queue::default());
        }
        &mut self.queues[slot]
    }

    fn backpressure_of(&mut self, slot: usize) -> Option<Backpressure> {
        let BatchLimits { records, bytes, .. } = self.limits;
        let has_drained = |queue: &&mut Queue<'c>| queue.waiting.len() <= records / 2 && queue.bytes <= bytes / 2;
        let queue = self.queues.get_mut(slot).filter(|queue| queue.is_full).filter(has_drained)?;
        queue.is_full = false;
        Some(Backpressure::Drained)
    }
}

impl<'c, S, F> Scheduler<'c> for PartitionBatcher<'c, S, F>
where
    S: Fn(RecordBatch<'c>) -> F,
    F: Future<Output = Vec<Completion<()>>>,
{
    type Product = ();

    fn begin_epoch(&mut self, slot: usize, epoch: u32, start: &StartOffset) {
        let queue = self.queue(slot);
        queue.epoch = epoch;
        queue.expected = if let StartOffset::Stored { offset, .. } = start { Some(*offset) } else { None };
        queue.is_broken = false;
    }

    fn take(&mut self, handle: RecordHandle, record: Record<'c>) -> Option<Backpressure> {
        let limits = self.limits;
        let queue = self.queue(handle.slot);
        if handle.epoch > queue.epoch {
            // The log was truncated: the store keeps what it has.
            queue.epoch = handle.epoch;
            queue.is_broken = false;
        }
        if queue.waiting.is_empty() {
            queue.due = (limits.age > Duration::ZERO).then(|| Instant::now() + limits.age);
        }
        queue.waiting.push_back((handle, record));
        queue.bytes += handle.bytes;
        let filled = !queue.is_full && queue.fills(&limits);
        queue.is_full |= filled;
        filled.then_some(Backpressure::Full)
    }

    fn poll_completion(&mut self, context: &mut Context<'_>) -> Poll<(Completion<()>, Option<Backpressure>)> {
        self.begin();
        while self.ended.is_empty() {
            if self.poll_due(context).is_ready() {
                self.begin();
            }
            match Pin::new(&mut self.running).poll_next(context) {
                Poll::Ready(Some(finished)) => {
                    if let Some(first) = finished.first() {
                        self.queues[first.handle.slot].ended(&finished);
                    }
                    self.ended.extend(finished);
                    self.begin();
                }
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
        match self.ended.pop_front() {
            Some(finished) => {
                let backpressure = self.backpressure_of(finished.handle.slot);
                Poll::Ready((finished, backpressure))
            }
            None => Poll::Pending,
        }
    }

    /// A batch is stored as one, and begins where one ends: offsets within one are none to begin at.
    fn is_completing(&self) -> bool {
        !self.ended.is_empty()
    }

    fn drop_queued(&mut self, is_owned: impl Fn(RecordHandle) -> bool) -> Vec<RecordHandle> {
        let mut dropped = Vec::new();
        for queue in &mut self.queues {
            let before = dropped.len();
            queue.is_full &= !drop_revoked(&mut queue.waiting, |(handle, _)| *handle, &is_owned, &mut dropped);
            queue.bytes -= dropped[before..].iter().map(|handle| handle.bytes).sum::<usize>();
            if queue.waiting.is_empty() {
                queue.due = None;
            }
        }
        dropped
    }

    /// Batches that wait for more begin: there will be no more before one of them has ended.
    fn capacity_reached(&mut self) {
        for queue in &mut self.queues {
            queue.due = None;
        }
    }
}

/// The completions of a batch whose records all end alike.
pub(crate) fn all(batch: &RecordBatch<'_>, outcome: &TaskOutcome<()>) -> Vec<Completion<()>> {
    batch.handles.iter().map(|&handle| Completion { handle, outcome: outcome.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use futures_util::future::LocalBoxFuture;
    use futures_util::task::noop_waker_ref;
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;
    use tokio::sync::oneshot;

    use super::*;

    fn record() -> Record<'static> {
        Record::from(OwnedMessage::new(Some(b"{}".to_vec()), None, "t".into(), Timestamp::NotAvailable, 0, 0, None))
    }

    fn handle(slot: usize, offset: i64) -> RecordHandle {
        RecordHandle { slot, epoch: 1, offset, bytes: 1 }
    }

    struct Running {
        offsets: Vec<i64>,
        expected: Option<i64>,
        end: oneshot::Sender<TaskOutcome<()>>,
    }

    type Jobs = Rc<RefCell<Vec<Running>>>;

    type Job<'c> = LocalBoxFuture<'c, Vec<Completion<()>>>;

    const FOUR: BatchLimits = BatchLimits { records: 4, bytes: usize::MAX, age: Duration::ZERO };

    fn batcher<'c>(
        jobs: &Jobs,
        limits: BatchLimits,
    ) -> PartitionBatcher<'c, impl Fn(RecordBatch<'c>) -> Job<'c>, Job<'c>> {
        let jobs = Rc::clone(jobs);
        let start = move |batch: RecordBatch<'c>| -> Job<'c> {
            let (end, outcome) = oneshot::channel();
            let offsets = batch.handles.iter().map(|handle| handle.offset).collect();
            jobs.borrow_mut().push(Running { offsets, expected: batch.expected, end });
            Box::pin(async move { all(&batch, &outcome.await.unwrap()) })
        };
        PartitionBatcher::new(start, limits)
    }

    fn running(jobs: &Jobs) -> Vec<Vec<i64>> {
        jobs.borrow().iter().map(|job| job.offsets.clone()).collect()
    }

    #[test]
    fn a_partition_has_one_batch_at_a_time() {
        let jobs = Jobs::default();
        let mut batcher = batcher(&jobs, FOUR);
        let mut context = Context::from_waker(noop_waker_ref());
        let levels: Vec<_> = (0..6).map(|offset| batcher.take(handle(0, offset), record())).collect();
        assert_eq!(levels, [None, None, None, Some(Backpressure::Full), None, None]);
        batcher.take(handle(1, 50), record());
        assert!(batcher.poll_completion(&mut context).is_pending());
        assert_eq!(running(&jobs), [vec![0, 1, 2, 3], vec![50]]);
        batcher.take(handle(0, 6), record());

        jobs.borrow_mut().remove(0).end.send(TaskOutcome::Done(())).unwrap();
        let mut finished = Vec::new();
        while let Poll::Ready((record, level)) = batcher.poll_completion(&mut context) {
            finished.push((record.handle.offset, level));
            assert_eq!(batcher.is_completing(), finished.len() < 4, "nothing is committed within a batch");
        }
        assert_eq!(finished, [(0, Some(Backpressure::Drained)), (1, None), (2, None), (3, None)]);
        assert_eq!(running(&jobs), [vec![50], vec![4, 5, 6]]);
    }

    #[test]
    fn queued_records_of_a_revoked_partition_are_dropped() {
        let jobs = Jobs::default();
        let mut batcher = batcher(&jobs, FOUR);
        let mut context = Context::from_waker(noop_waker_ref());
        batcher.take(handle(0, 0), record());
        assert!(batcher.poll_completion(&mut context).is_pending());
        for (slot, offset) in [(0, 1), (0, 2), (1, 50)] {
            batcher.take(handle(slot, offset), record());
        }
        let dropped: Vec<_> =
            batcher.drop_queued(|handle| handle.slot != 0).iter().map(|handle| handle.offset).collect();
        assert_eq!(dropped, [1, 2]);
        assert!(batcher.poll_completion(&mut context).is_pending());
        assert_eq!(running(&jobs), [vec![0], vec![50]]);
    }

    /// Takes records in, and says which batch runs then: its offsets and what it expects.
    fn next_batch<'c, S, F>(
        batcher: &mut PartitionBatcher<'c, S, F>,
        jobs: &Jobs,
        handles: &[RecordHandle],
    ) -> Option<(Vec<i64>, Option<i64>)>
    where
        S: Fn(RecordBatch<'c>) -> F,
        F: Future<Output = Vec<Completion<()>>>,
    {
        for &handle in handles {
            batcher.take(handle, record());
        }
        while batcher.poll_completion(&mut Context::from_waker(noop_waker_ref())).is_ready() {}
        jobs.borrow().last().map(|job| (job.offsets.clone(), job.expected))
    }

    #[test]
    fn no_batch_follows_one_that_was_not_stored() {
        let jobs = Jobs::default();
        let mut batcher = batcher(&jobs, FOUR);
        batcher.begin_epoch(0, 1, &StartOffset::Stored { offset: 5, records: 0 });
        assert_eq!(next_batch(&mut batcher, &jobs, &[handle(0, 7)]), Some((vec![7], Some(5))));
        jobs.borrow_mut().remove(0).end.send(TaskOutcome::Done(())).unwrap();
        assert_eq!(next_batch(&mut batcher, &jobs, &[handle(0, 8)]), Some((vec![8], Some(8))));
        batcher.take(handle(0, 9), record());
        jobs.borrow_mut().remove(0).end.send(TaskOutcome::OffsetMismatch).unwrap();
        assert_eq!(next_batch(&mut batcher, &jobs, &[handle(0, 10)]), None);

        batcher.drop_queued(|_| false);
        batcher.begin_epoch(0, 2, &StartOffset::Stored { offset: 8, records: 0 });
        let again = RecordHandle { epoch: 2, ..handle(0, 8) };
        assert_eq!(next_batch(&mut batcher, &jobs, &[again]), Some((vec![8], Some(8))));
    }

    #[test]
    fn a_batch_of_an_older_epoch_does_not_count() {
        let jobs = Jobs::default();
        let mut batcher = batcher(&jobs, FOUR);
        batcher.begin_epoch(0, 1, &StartOffset::Unknown);
        assert_eq!(next_batch(&mut batcher, &jobs, &[handle(0, 0)]), Some((vec![0], None)));
        batcher.begin_epoch(0, 2, &StartOffset::Stored { offset: 40, records: 0 });
        jobs.borrow_mut().remove(0).end.send(TaskOutcome::Done(())).unwrap();
        let new = RecordHandle { epoch: 2, ..handle(0, 40) };
        assert_eq!(next_batch(&mut batcher, &jobs, &[new]), Some((vec![40], Some(40))));
    }

    #[test]
    fn bytes_fill_a_batch() {
        let jobs = Jobs::default();
        let mut batcher = batcher(&jobs, BatchLimits { bytes: 10, ..FOUR });
        let mut context = Context::from_waker(noop_waker_ref());
        let sized = |offset, bytes| RecordHandle { bytes, ..handle(0, offset) };
        let levels = [(0, 6), (1, 6), (2, 1), (3, 30), (4, 1)]
            .map(|(offset, bytes)| batcher.take(sized(offset, bytes), record()));
        assert_eq!(levels, [None, Some(Backpressure::Full), None, None, None]);
        let mut begun = Vec::new();
        while batcher.poll_completion(&mut context).is_pending() && !jobs.borrow().is_empty() {
            let job = jobs.borrow_mut().remove(0);
            begun.push(job.offsets);
            job.end.send(TaskOutcome::Done(())).unwrap();
            let mut levels = Vec::new();
            while let Poll::Ready((_, level)) = batcher.poll_completion(&mut context) {
                levels.extend(level);
            }
            assert_eq!(levels.len(), usize::from(begun.len() == 1), "{begun:?}");
        }
        assert_eq!(begun, [vec![0, 1], vec![2, 3], vec![4]]);
    }

    /// In paused time, which goes on by itself to the next timer.
    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_its_age_unless_it_is_full_or_memory_is() {
        let age = Duration::from_secs(60);
        let jobs = Jobs::default();
        let mut batcher = batcher(&jobs, BatchLimits { age, ..FOUR });
        let began = Instant::now();
        let mut context = Context::from_waker(noop_waker_ref());
        batcher.take(handle(0, 0), record());
        assert!(batcher.poll_completion(&mut context).is_pending());
        assert!(jobs.borrow().is_empty(), "it waits for more");
        for offset in 50..54 {
            batcher.take(handle(1, offset), record());
        }
        assert!(batcher.poll_completion(&mut context).is_pending());
        assert_eq!(running(&jobs), [vec![50, 51, 52, 53]], "it is full");

        tokio::time::advance(age / 2).await;
        batcher.take(handle(0, 1), record());
        let second_begun = std::future::poll_fn(|context| {
            assert!(batcher.poll_completion(context).is_pending());
            if jobs.borrow().len() == 2 { Poll::Ready(()) } else { Poll::Pending }
        });
        second_begun.await;
        assert_eq!(began.elapsed().as_secs(), age.as_secs(), "the age of its first record");
        assert_eq!(running(&jobs)[1], [0, 1]);

        batcher.take(handle(2, 7), record());
        assert!(batcher.poll_completion(&mut context).is_pending());
        assert_eq!(jobs.borrow().len(), 2);
        batcher.capacity_reached();
        assert!(batcher.poll_completion(&mut context).is_pending());
        assert_eq!(running(&jobs)[2], [7]);
    }

    #[test]
    fn a_truncated_log_continues_after_an_abandoned_batch() {
        let jobs = Jobs::default();
        let mut batcher = batcher(&jobs, FOUR);
        batcher.begin_epoch(0, 1, &StartOffset::Stored { offset: 90, records: 0 });
        assert_eq!(next_batch(&mut batcher, &jobs, &[handle(0, 90)]), Some((vec![90], Some(90))));
        let cut = RecordHandle { epoch: 2, ..handle(0, 3) };
        batcher.take(cut, record());
        jobs.borrow_mut().remove(0).end.send(TaskOutcome::Abandoned).unwrap();
        assert_eq!(next_batch(&mut batcher, &jobs, &[]), Some((vec![3], Some(90))));
    }
}
