//! Commits to an external store: rows, and where the store keeps it their offset, in the store's own transaction; dead
//! letters are acknowledged before it ends.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use millrace_domain::Backoff;
use tokio::time::Instant;

use crate::assignment::watch::AssignmentWatch;
use crate::attempts::{Attempt, text_of};
use crate::dlq::cause::Cause;
use crate::dlq::{DeadLetterQueue, DlqWriteError, Rejection, poison};
use crate::error::ConsumerError;
use crate::group_offsets::GroupOffsetSource;
use crate::processor::{Batch, BatchError, BatchProcessor, OffsetStorage, Written};
use crate::scheduler::batch::{RecordBatch, all};
use crate::scheduler::{Completion, TaskOutcome};
use crate::start_offsets::{OffsetSource, StartOffset, StartOffsets};
use crate::telemetry::{CommitMetrics, MemberMetrics, store};
use crate::trace;
use millrace_kafka::failpoint;

/// Delays between attempts. A store that is unavailable keeps its partitions waiting, for as long as it takes.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// Stores batches of records.
pub(crate) struct BatchRunner<'p, P> {
    processor: &'p P,
    dlq: DeadLetterQueue<'p>,
    assignment: AssignmentWatch,
    /// The source of record counts, and of the offsets that the store does not keep.
    group: &'p GroupOffsetSource,
    retries: metrics::Counter,
    commits: CommitMetrics,
}

/// Why a batch was not stored: what all its tasks end with.
type BatchFailure = TaskOutcome<()>;

/// Records of a batch by their index, and why they are rejected.
type Rejections = Vec<(usize, Cause, String)>;

impl<'p, P: BatchProcessor> BatchRunner<'p, P> {
    pub(crate) fn new(
        processor: &'p P,
        dlq: DeadLetterQueue<'p>,
        assignment: AssignmentWatch,
        group: &'p GroupOffsetSource,
        metrics: &MemberMetrics,
    ) -> Self {
        let store = match P::OFFSETS {
            OffsetStorage::Store => store::DATABASE,
            OffsetStorage::Group => store::DESTINATION,
        };
        let (retries, commits) = (metrics.retries.clone(), metrics.commits(store));
        Self { processor, dlq, assignment, group, retries, commits }
    }

    /// Stores a batch, however long that takes; ends early where its partition is revoked.
    pub(crate) async fn run(&self, records: RecordBatch<'_>) -> Vec<Completion<()>> {
        let mut spans: Vec<_> = records.records.iter().map(|record| trace::begin(record, self.dlq.group())).collect();
        // In a box: rows with lifetimes of their own keep the compiler from seeing that the future is `Send`.
        match self.store(&records).boxed().await {
            Ok(rejected) => {
                for (span, rejected) in spans.iter_mut().zip(&rejected) {
                    if let Some(cause) = rejected {
                        span.failed(cause.as_str());
                    }
                }
                let dead_lettered = |cause| TaskOutcome::DeadLettered { cause, letter: None };
                let finished = records.handles.iter().zip(rejected);
                let outcome = |rejected: Option<Cause>| rejected.map_or(TaskOutcome::Done(()), dead_lettered);
                finished.map(|(&handle, rejected)| Completion { handle, outcome: outcome(rejected) }).collect()
            }
            Err(failure) => all(&records, &failure),
        }
    }

    /// Stores what can be stored of a batch and says which of its records are rejected, and why.
    async fn store(&self, records: &RecordBatch<'_>) -> Result<Vec<Option<Cause>>, BatchFailure> {
        let mut rejected = vec![None; records.records.len()];
        let (Some(&first), Some(last)) = (records.handles.first(), records.records.last()) else {
            return Ok(rejected);
        };
        let mut attempt = Attempt::of(&self.assignment, first);
        let (mut rows, mut indexes, mut rejections) = self.read(records);
        let (topic, partition, next) = (last.topic(), last.partition(), last.offset() + 1);
        let expected = records.expected.filter(|_| P::OFFSETS == OffsetStorage::Store);
        loop {
            if !rejections.is_empty() {
                self.letter(records, &mut rejections, &mut rejected, &attempt).await?;
                (rows, indexes) = rows.into_iter().zip(indexes).filter(|(_, index)| rejected[*index].is_none()).unzip();
            }
            failpoint!("batch.taken");
            let batch = Batch { topic, partition, expected, next, rows: &rows };
            match self.write(&batch, &attempt).await {
                Ok(Written { pending, refused }) => {
                    let written = rows.len() - refused.len();
                    rejections = refused
                        .into_iter()
                        .map(|refused| (indexes[refused.index], Cause::Rejected, refused.reason))
                        .collect();
                    if P::OFFSETS == OffsetStorage::Group && !rejections.is_empty() {
                        // The other rows are written, and nothing waits for these.
                        self.letter(records, &mut rejections, &mut rejected, &attempt).await?;
                    }
                    if rejections.is_empty() {
                        failpoint!("batch.written");
                        self.commits.batch(written);
                        return self.commit(pending, topic, partition).await.map(|()| rejected);
                    }
                    drop(pending);
                }
                Err(BatchError::Unavailable { reason }) => {
                    self.commits.failed();
                    let number = attempt.number();
                    let delay = BACKOFF.delay(number, None, &mut rand::rng());
                    tracing::warn!(topic, partition, number, ?delay, reason, "batch not stored, retrying");
                    if attempt.until_revoked(tokio::time::sleep(delay)).await.is_none() {
                        return Err(TaskOutcome::Abandoned);
                    }
                    attempt.advance();
                    self.retries.increment(1);
                }
                Err(error) => return Err(failure(error, topic, partition)),
            }
        }
    }

    /// Reads records: rows, the indexes of their records, and those that are none.
    fn read<'r>(&self, records: &'r RecordBatch<'_>) -> (Vec<P::Row<'r>>, Vec<usize>, Rejections) {
        let (mut rows, mut indexes, mut rejections) =
            (Vec::with_capacity(records.records.len()), Vec::new(), Vec::new());
        for (index, record) in records.records.iter().enumerate() {
            let row = match poison(record) {
                Some(reason) => Err((Cause::NoValue, reason.to_owned())),
                None => match std::panic::catch_unwind(AssertUnwindSafe(|| self.processor.read(record))) {
                    Ok(row) => row.map_err(|reason| (Cause::Rejected, reason)),
                    Err(panic) => Err((Cause::Panicked, format!("reading it panicked: {}", text_of(&*panic)))),
                },
            };
            match row {
                Ok(row) => {
                    rows.push(row);
                    indexes.push(index);
                }
                Err((cause, reason)) => rejections.push((index, cause, reason)),
            }
        }
        (rows, indexes, rejections)
    }

    /// Writes the dead letters of these records, and notes them as rejected once they are acknowledged.
    async fn letter(
        &self,
        records: &RecordBatch<'_>,
        rejections: &mut Rejections,
        rejected: &mut [Option<Cause>],
        attempt: &Attempt<'_>,
    ) -> Result<(), BatchFailure> {
        let attempts = attempt.number();
        let letters = rejections
            .iter()
            .map(|(index, cause, reason)| (&records.records[*index], Rejection { attempts, cause: *cause, reason }));
        let written = self.dlq.reject(letters, attempt).await;
        written.map(drop).map_err(DlqWriteError::outcome)?;
        failpoint!("batch.lettered");
        for (index, cause, _) in rejections.drain(..) {
            rejected[index] = Some(cause);
        }
        Ok(())
    }

    async fn write(
        &self,
        batch: &Batch<'_, P::Row<'_>>,
        attempt: &Attempt<'_>,
    ) -> Result<Written<P::Pending>, BatchError> {
        let written = AssertUnwindSafe(self.processor.write(batch, attempt)).catch_unwind().await;
        written.unwrap_or_else(|panic| {
            Err(BatchError::Fatal { reason: format!("storing a batch panicked: {}", text_of(&*panic)) })
        })
    }

    async fn commit(&self, pending: P::Pending, topic: &str, partition: i32) -> Result<(), BatchFailure> {
        let begun = Instant::now();
        match self.processor.commit(pending).await {
            Ok(()) => {
                self.commits.committed(begun.elapsed());
                failpoint!("batch.committed");
                Ok(())
            }
            // The outcome is unknown: only the store knows it.
            Err(BatchError::Unavailable { reason }) => {
                self.commits.unknown();
                tracing::warn!(topic, partition, reason, "batch commit not confirmed, looking up the stored offset");
                Err(TaskOutcome::OffsetMismatch)
            }
            Err(error) => Err(failure(error, topic, partition)),
        }
    }

    async fn stored_offset(&self, topic: &str, partition: i32) -> Result<Option<i64>, ConsumerError> {
        for attempt in 1.. {
            match self.processor.resume(topic, partition).await {
                Ok(offset) => return Ok(offset),
                Err(BatchError::Fatal { reason }) => return Err(ConsumerError::Halted(reason)),
                Err(error) => {
                    let delay = BACKOFF.delay(attempt, None, &mut rand::rng());
                    tracing::warn!(topic, partition, %error, ?delay, "looking up the stored offset failed, retrying");
                    tokio::time::sleep(delay).await;
                }
            }
        }
        Ok(None)
    }
}

/// What an error that is not retried means for a batch.
fn failure(error: BatchError, topic: &str, partition: i32) -> BatchFailure {
    match error {
        BatchError::OffsetConflict => {
            tracing::warn!(topic, partition, "another process stored records of this partition, seeking to its offset");
            TaskOutcome::OffsetMismatch
        }
        BatchError::Fatal { reason } | BatchError::Unavailable { reason } => TaskOutcome::Halt(reason),
    }
}

impl<P: BatchProcessor> OffsetSource for BatchRunner<'_, P> {
    fn start_offsets(&self, partitions: Vec<(String, i32)>) -> StartOffsets<'_> {
        if P::OFFSETS == OffsetStorage::Group {
            return self.group.start_offsets(partitions);
        }
        async move {
            let committed = self.group.start_offsets(partitions.clone()).await?;
            let mut offsets = Vec::with_capacity(partitions.len());
            for ((topic, partition), committed) in partitions.into_iter().zip(committed) {
                let records = if let StartOffset::Committed { records, .. } = committed { records } else { 0 };
                let stored = self.stored_offset(&topic, partition).await?;
                offsets.push(stored.map_or(StartOffset::Unknown, |offset| StartOffset::Stored { offset, records }));
            }
            Ok(offsets)
        }
        .boxed()
    }
}
