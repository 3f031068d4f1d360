//! The batch mode's work: a partition's records are handed over in chunks, one chunk of a partition at a time.
//!
//! What comes while a chunk is being stored makes the next one: chunks grow with the load by themselves. Each begins
//! where the one before it ended. Where that one came to nothing, none follows it until the partition is taken up anew.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;

use super::partitions::Lease;
use super::resume::Place;
use super::work::{Finished, Level, Verdict, Work, drop_unwanted};
use crate::record::Record;

/// Records of one partition, in order.
pub(super) struct Chunk<'c> {
    pub(super) leases: Vec<Lease>,
    pub(super) records: Vec<Record<'c>>,
    /// The offset that the store has if all that went before is there, and nothing else; `None`: none.
    pub(super) expected: Option<i64>,
}

/// See the module's text. `start` makes the future that stores a chunk.
pub(super) struct Chunks<'c, S, F> {
    start: S,
    running: FuturesUnordered<F>,
    /// By the partition's slot.
    queues: Vec<Queue<'c>>,
    /// Records of chunks that ended.
    ended: VecDeque<Finished<()>>,
    chunk_records: usize,
}

#[derive(Default)]
struct Queue<'c> {
    waiting: VecDeque<(Lease, Record<'c>)>,
    /// The epoch in which the partition was taken up, or began anew because its log was cut.
    epoch: u32,
    /// What the next chunk expects.
    expected: Option<i64>,
    /// Whether a chunk of this epoch came to nothing.
    is_broken: bool,
    is_busy: bool,
    is_full: bool,
}

impl Queue<'_> {
    /// Takes note of a chunk's end.
    fn ended(&mut self, finished: &[Finished<()>]) {
        self.is_busy = false;
        let is_stored =
            |finished: &Finished<()>| matches!(finished.verdict, Verdict::Done(()) | Verdict::DeadLettered { .. });
        let Some(last) = finished.last().filter(|last| last.lease.epoch == self.epoch) else { return };
        if finished.iter().all(is_stored) {
            self.expected = Some(last.lease.offset + 1);
        } else {
            self.is_broken = true;
        }
    }
}

impl<'c, S, F> Chunks<'c, S, F>
where
    S: Fn(Chunk<'c>) -> F,
    F: Future<Output = Vec<Finished<()>>>,
{
    /// Chunks of at most `chunk_records`; as many again may wait before a partition is paused.
    pub(super) fn new(start: S, chunk_records: usize) -> Self {
        Self { start, running: FuturesUnordered::new(), queues: Vec::new(), ended: VecDeque::new(), chunk_records }
    }

    /// Begins a chunk in each partition that has none under way.
    fn begin(&mut self) {
        let may_begin = |queue: &&mut Queue<'c>| !queue.is_busy && !queue.is_broken && !queue.waiting.is_empty();
        for queue in self.queues.iter_mut().filter(may_begin) {
            let count = queue.waiting.len().min(self.chunk_records);
            let (leases, records) = queue.waiting.drain(..count).unzip();
            queue.is_busy = true;
            self.running.push((self.start)(Chunk { leases, records, expected: queue.expected }));
        }
    }

    fn queue(&mut self, slot: usize) -> &mut Queue<'c> {
        while self.queues.len() <= slot {
            self.queues.push(Queue::default());
        }
        &mut self.queues[slot]
    }

    fn level_of(&mut self, slot: usize) -> Option<Level> {
        let bound = self.chunk_records;
        let queue = self.queues.get_mut(slot).filter(|queue| queue.is_full && queue.waiting.len() <= bound / 2)?;
        queue.is_full = false;
        Some(Level::Drained)
    }
}

impl<'c, S, F> Work<'c> for Chunks<'c, S, F>
where
    S: Fn(Chunk<'c>) -> F,
    F: Future<Output = Vec<Finished<()>>>,
{
    type Product = ();

    fn begin_epoch(&mut self, slot: usize, epoch: u32, place: &Place) {
        let queue = self.queue(slot);
        queue.epoch = epoch;
        queue.expected = if let Place::Stored(offset) = place { Some(*offset) } else { None };
        queue.is_broken = false;
    }

    fn take(&mut self, lease: Lease, record: Record<'c>) -> Option<Level> {
        let bound = self.chunk_records;
        let queue = self.queue(lease.slot);
        if lease.epoch > queue.epoch {
            // The log was cut: what the store has stays.
            queue.epoch = lease.epoch;
            queue.is_broken = false;
        }
        queue.waiting.push_back((lease, record));
        let filled = !queue.is_full && queue.waiting.len() >= bound;
        queue.is_full |= filled;
        filled.then_some(Level::Full)
    }

    fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<(Finished<()>, Option<Level>)> {
        self.begin();
        while self.ended.is_empty() {
            match Pin::new(&mut self.running).poll_next(context) {
                Poll::Ready(Some(finished)) => {
                    if let Some(first) = finished.first() {
                        self.queues[first.lease.slot].ended(&finished);
                    }
                    self.ended.extend(finished);
                    self.begin();
                }
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
        match self.ended.pop_front() {
            Some(finished) => {
                let level = self.level_of(finished.lease.slot);
                Poll::Ready((finished, level))
            }
            None => Poll::Pending,
        }
    }

    fn drop_waiting(&mut self, is_wanted: impl Fn(Lease) -> bool) -> Vec<Lease> {
        let mut dropped = Vec::new();
        for queue in &mut self.queues {
            queue.is_full &= !drop_unwanted(&mut queue.waiting, |(lease, _)| *lease, &is_wanted, &mut dropped);
        }
        dropped
    }
}

/// The end of a chunk whose records all have the same.
pub(super) fn all(chunk: &Chunk<'_>, verdict: &Verdict<()>) -> Vec<Finished<()>> {
    chunk.leases.iter().map(|&lease| Finished { lease, verdict: verdict.clone() }).collect()
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

    fn lease(slot: usize, offset: i64) -> Lease {
        Lease { slot, epoch: 1, offset, bytes: 1 }
    }

    struct Running {
        offsets: Vec<i64>,
        expected: Option<i64>,
        end: oneshot::Sender<Verdict<()>>,
    }

    type Jobs = Rc<RefCell<Vec<Running>>>;

    type Job<'c> = LocalBoxFuture<'c, Vec<Finished<()>>>;

    fn chunks<'c>(jobs: &Jobs) -> Chunks<'c, impl Fn(Chunk<'c>) -> Job<'c>, Job<'c>> {
        let jobs = Rc::clone(jobs);
        let start = move |chunk: Chunk<'c>| -> Job<'c> {
            let (end, verdict) = oneshot::channel();
            let offsets = chunk.leases.iter().map(|lease| lease.offset).collect();
            jobs.borrow_mut().push(Running { offsets, expected: chunk.expected, end });
            Box::pin(async move { all(&chunk, &verdict.await.unwrap()) })
        };
        Chunks::new(start, 4)
    }

    fn running(jobs: &Jobs) -> Vec<Vec<i64>> {
        jobs.borrow().iter().map(|job| job.offsets.clone()).collect()
    }

    #[test]
    fn a_partition_has_one_chunk_at_a_time_and_what_comes_meanwhile_is_the_next() {
        let jobs = Jobs::default();
        let mut chunks = chunks(&jobs);
        let mut context = Context::from_waker(noop_waker_ref());
        let levels: Vec<_> = (0..6).map(|offset| chunks.take(lease(0, offset), record())).collect();
        assert_eq!(levels, [None, None, None, Some(Level::Full), None, None]);
        chunks.take(lease(1, 50), record());
        assert!(chunks.poll_finished(&mut context).is_pending());
        assert_eq!(running(&jobs), [vec![0, 1, 2, 3], vec![50]]);
        chunks.take(lease(0, 6), record());

        jobs.borrow_mut().remove(0).end.send(Verdict::Done(())).unwrap();
        let mut finished = Vec::new();
        while let Poll::Ready((record, level)) = chunks.poll_finished(&mut context) {
            finished.push((record.lease.offset, level));
        }
        assert_eq!(finished, [(0, Some(Level::Drained)), (1, None), (2, None), (3, None)]);
        assert_eq!(running(&jobs), [vec![50], vec![4, 5, 6]]);
    }

    #[test]
    fn what_waits_in_a_partition_that_leaves_is_dropped_and_its_chunk_goes_on() {
        let jobs = Jobs::default();
        let mut chunks = chunks(&jobs);
        let mut context = Context::from_waker(noop_waker_ref());
        chunks.take(lease(0, 0), record());
        assert!(chunks.poll_finished(&mut context).is_pending());
        for (slot, offset) in [(0, 1), (0, 2), (1, 50)] {
            chunks.take(lease(slot, offset), record());
        }
        let dropped: Vec<_> = chunks.drop_waiting(|lease| lease.slot != 0).iter().map(|lease| lease.offset).collect();
        assert_eq!(dropped, [1, 2]);
        assert!(chunks.poll_finished(&mut context).is_pending());
        assert_eq!(running(&jobs), [vec![0], vec![50]]);
    }

    /// Takes records in, and says what chunk runs then: its offsets and what it expects.
    fn next_chunk<'c, S, F>(
        chunks: &mut Chunks<'c, S, F>,
        jobs: &Jobs,
        leases: &[Lease],
    ) -> Option<(Vec<i64>, Option<i64>)>
    where
        S: Fn(Chunk<'c>) -> F,
        F: Future<Output = Vec<Finished<()>>>,
    {
        for &lease in leases {
            chunks.take(lease, record());
        }
        while chunks.poll_finished(&mut Context::from_waker(noop_waker_ref())).is_ready() {}
        jobs.borrow().last().map(|job| (job.offsets.clone(), job.expected))
    }

    #[test]
    fn behind_a_chunk_that_came_to_nothing_none_begins_until_the_partition_is_taken_up_anew() {
        let jobs = Jobs::default();
        let mut chunks = chunks(&jobs);
        chunks.begin_epoch(0, 1, &Place::Stored(5));
        assert_eq!(next_chunk(&mut chunks, &jobs, &[lease(0, 7)]), Some((vec![7], Some(5))));
        jobs.borrow_mut().remove(0).end.send(Verdict::Done(())).unwrap();
        assert_eq!(next_chunk(&mut chunks, &jobs, &[lease(0, 8)]), Some((vec![8], Some(8))));
        chunks.take(lease(0, 9), record());
        jobs.borrow_mut().remove(0).end.send(Verdict::Misplaced).unwrap();
        assert_eq!(next_chunk(&mut chunks, &jobs, &[lease(0, 10)]), None);

        chunks.drop_waiting(|_| false);
        chunks.begin_epoch(0, 2, &Place::Stored(8));
        let again = Lease { epoch: 2, ..lease(0, 8) };
        assert_eq!(next_chunk(&mut chunks, &jobs, &[again]), Some((vec![8], Some(8))));
    }

    #[test]
    fn a_chunk_of_an_older_epoch_changes_nothing_in_a_newer_one() {
        let jobs = Jobs::default();
        let mut chunks = chunks(&jobs);
        chunks.begin_epoch(0, 1, &Place::Unknown);
        assert_eq!(next_chunk(&mut chunks, &jobs, &[lease(0, 0)]), Some((vec![0], None)));
        chunks.begin_epoch(0, 2, &Place::Stored(40));
        jobs.borrow_mut().remove(0).end.send(Verdict::Done(())).unwrap();
        let new = Lease { epoch: 2, ..lease(0, 40) };
        assert_eq!(next_chunk(&mut chunks, &jobs, &[new]), Some((vec![40], Some(40))));
    }

    #[test]
    fn a_log_that_was_cut_goes_on_also_where_a_chunk_was_given_up_for_it() {
        let jobs = Jobs::default();
        let mut chunks = chunks(&jobs);
        chunks.begin_epoch(0, 1, &Place::Stored(90));
        assert_eq!(next_chunk(&mut chunks, &jobs, &[lease(0, 90)]), Some((vec![90], Some(90))));
        let cut = Lease { epoch: 2, ..lease(0, 3) };
        chunks.take(cut, record());
        jobs.borrow_mut().remove(0).end.send(Verdict::Abandoned).unwrap();
        assert_eq!(next_chunk(&mut chunks, &jobs, &[]), Some((vec![3], Some(90))));
    }
}
