//! Attempts of one record: back-off between them, and a dead letter after the last.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use millrace_domain::Backoff;
use millrace_domain::dead_letter::RECORD_DELETED;
use millrace_domain::traceparent::TraceParent;
use millrace_kafka::failpoint;
use tokio::sync::Semaphore;

use crate::assignment::RecordHandle;
use crate::assignment::watch::AssignmentWatch;
use crate::dlq::cause::Cause;
use crate::dlq::{DeadLetterQueue, Rejection, poison};
use crate::engine::EngineContext;
use crate::outcome::Outcome;
use crate::processor::Processor;
use crate::scheduler::key_queue::{Task, TaskEnd};
use crate::scheduler::{SpillRequest, TaskOutcome};
use crate::spill::pressure::MemoryPressure;
use crate::telemetry::MemberMetrics;
use crate::trace;

/// One attempt to process a record.
#[derive(Debug)]
pub struct Attempt<'a> {
    number: u32,
    /// The assignment, and the record in it; `None` outside of a consumer.
    record: Option<(&'a AssignmentWatch, RecordHandle)>,
    /// Memory pressure; `None` where records cannot be spilled.
    pressure: Option<&'a MemoryPressure>,
    resume_token: Option<u64>,
    /// The context of the record's span, where it is recorded.
    trace: Option<TraceParent>,
}

/// Why a record did not acquire what it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireError {
    /// The partition was revoked, or the consumer stops: the next owner reads the record.
    Revoked,
    /// Memory is under pressure: the outcome should be [`Outcome::Defer`].
    MemoryPressure,
}

impl Attempt<'_> {
    /// A first attempt that is never revoked: for calls outside of a consumer.
    pub fn first() -> Self {
        Self { number: 1, record: None, pressure: None, resume_token: None, trace: None }
    }

    /// Counts from 1, and grows with each attempt of the same record in this process.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The context of the span that stands for the processing of the record: the parent of what is done and written
    /// because of it. `None` where no spans are exported.
    pub fn trace(&self) -> Option<TraceParent> {
        self.trace
    }

    /// Waits for `wait`, at most until the record's partition is revoked or the consumer stops. The answer is `None` then,
    /// and unless the outcome is a final one, the record is read again by its next owner.
    pub async fn until_revoked<W: Future>(&self, wait: W) -> Option<W::Output> {
        match self.record {
            Some((ownership, handle)) => ownership.until_revoked(handle, wait).await,
            None => Some(wait.await),
        }
    }

    /// Whether earlier records were spilled for one of the processor's destination queues: they go first.
    pub fn has_predecessor(&self, queue: usize) -> bool {
        self.resume_token.is_none() && self.pressure.is_some_and(|pressure| pressure.has_spilled(queue))
    }

    /// Waits for a place in one of the processor's destination queues, at most until memory is under pressure: the record
    /// can be spilled then.
    ///
    /// # Errors
    /// [`AcquireError`], and `wait` is dropped.
    pub async fn acquire<W: Future>(&self, queue: usize, wait: W) -> Result<W::Output, AcquireError> {
        if self.has_predecessor(queue) {
            return Err(AcquireError::MemoryPressure);
        }
        let wait = async {
            match self.pressure {
                Some(pressure) => pressure.wait(wait).await,
                None => Some(wait.await),
            }
        };
        self.until_revoked(wait).await.ok_or(AcquireError::Revoked)?.ok_or(AcquireError::MemoryPressure)
    }

    /// The token of the [`Outcome::Defer`] that spilled the record; 0 where there was none.
    pub fn resume_token(&self) -> u64 {
        self.resume_token.unwrap_or(0)
    }
}

impl<'a> Attempt<'a> {
    /// The first attempt of a record.
    pub(crate) fn of(ownership: &'a AssignmentWatch, handle: RecordHandle) -> Self {
        Self { record: Some((ownership, handle)), ..Attempt::first() }
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.record.is_some_and(|(ownership, handle)| ownership.is_revoked(handle))
    }

    /// The next attempt.
    pub(crate) fn advance(&mut self) {
        self.number += 1;
    }
}

/// Runs records through a processor.
pub(crate) struct Attempts<'p, P> {
    processor: &'p P,
    dlq: DeadLetterQueue<'p>,
    backoff: Backoff,
    limit: u32,
    /// Held during an attempt, not during back-off: a record that backs off takes no other's place.
    concurrency: Semaphore,
    assignment: AssignmentWatch,
    pressure: MemoryPressure,
    metrics: MemberMetrics,
}

impl<'p, P: Processor> Attempts<'p, P> {
    pub(crate) fn new(processor: &'p P, dlq: DeadLetterQueue<'p>, context: &EngineContext<'p>) -> Self {
        let EngineContext { options, .. } = *context;
        Self {
            processor,
            dlq,
            backoff: options.backoff,
            limit: options.max_attempts,
            concurrency: Semaphore::new(options.concurrency),
            assignment: context.assignment.clone(),
            pressure: context.pressure.clone(),
            metrics: context.metrics.clone(),
        }
    }

    /// Runs a task until it is done, spilled, abandoned, or the consumer must stop.
    pub(crate) async fn run(&self, task: Task<'_>) -> TaskEnd<P::Product> {
        failpoint!("record.taken");
        let mut span = trace::begin(&task.record, self.dlq.group());
        let outcome = self.decide(&task, span.context()).await;
        if let TaskOutcome::DeadLettered { cause, .. } = &outcome {
            span.failed(cause.as_str());
        }
        failpoint!("record.processed");
        task.finish(outcome)
    }

    /// Rare branches are boxed: every record's future is as large as its largest branch.
    async fn decide(&self, task: &Task<'_>, trace: Option<TraceParent>) -> TaskOutcome<P::Product> {
        let mut attempt = Attempt {
            pressure: Some(&self.pressure),
            resume_token: task.resume_token,
            trace,
            ..Attempt::of(&self.assignment, task.handle)
        };
        if task.is_deleted {
            // Nobody can process it any more: its dead letter says so, and where it stood.
            let rejection = Rejection { attempts: 0, cause: Cause::Deleted, reason: RECORD_DELETED };
            return self.reject(task, &attempt, rejection).await;
        }
        if let Some(reason) = poison(&task.record) {
            let rejection = Rejection { attempts: 1, cause: Cause::NoValue, reason };
            return self.reject(task, &attempt, rejection).await;
        }
        loop {
            let attempts = attempt.number;
            let outcome = match self.attempt(task, &attempt).await {
                Ok(outcome) => outcome,
                Err(panic) => {
                    let rejection = Rejection { attempts, cause: Cause::Panicked, reason: &panic };
                    return self.reject(task, &attempt, rejection).await;
                }
            };
            match outcome {
                Outcome::Done(product) => return TaskOutcome::Done(product),
                Outcome::Reject { class, reason, attempts: own } => {
                    // A processor that tries again by itself has its own count.
                    let attempts = own.unwrap_or(attempts);
                    let rejection = Rejection { attempts, cause: Cause::of_rejection(class), reason: &reason };
                    return self.reject(task, &attempt, rejection).await;
                }
                Outcome::Fatal { reason } => return TaskOutcome::Halt(reason),
                Outcome::Retry { .. } | Outcome::Defer { .. } if attempt.is_revoked() => {
                    return TaskOutcome::Abandoned;
                }
                Outcome::Defer { queue, resume_token } => {
                    return TaskOutcome::Spilled(Some(SpillRequest { queue, resume_token }));
                }
                Outcome::Retry { reason, .. } if attempts >= self.limit => {
                    let rejection = Rejection { attempts, cause: Cause::AttemptsExhausted, reason: &reason };
                    return self.reject(task, &attempt, rejection).await;
                }
                Outcome::Retry { after, reason } => {
                    let delay = self.backoff.delay(attempt.number, after, &mut rand::rng());
                    let record = &task.record;
                    tracing::debug!(
                        topic = record.topic(),
                        offset = record.offset(),
                        event_id = record.id(),
                        trace_id = record.trace_id(),
                        attempt = attempt.number,
                        ?delay,
                        reason,
                        "attempt failed, retrying"
                    );
                    if Box::pin(attempt.until_revoked(tokio::time::sleep(delay))).await.is_none() {
                        return TaskOutcome::Abandoned;
                    }
                    attempt.advance();
                    self.metrics.retries.increment(1);
                }
            }
        }
    }

    /// One attempt; the error is a panic's text.
    async fn attempt(&self, task: &Task<'_>, attempt: &Attempt<'_>) -> Result<Outcome<P::Product>, String> {
        // The semaphore is never closed.
        let _permit = self.concurrency.acquire().await;
        let attempted = AssertUnwindSafe(self.processor.process(&task.record, attempt)).catch_unwind().await;
        attempted.map_err(|panic| format!("processing panicked: {}", text_of(&*panic)))
    }

    async fn reject(
        &self,
        task: &Task<'_>,
        attempt: &Attempt<'_>,
        rejection: Rejection<'_>,
    ) -> TaskOutcome<P::Product> {
        let cause = rejection.cause;
        match self.dlq.reject([(&task.record, rejection)].into_iter(), attempt).await {
            Ok(mut letters) => TaskOutcome::DeadLettered { cause, letter: letters.pop() },
            Err(error) => error.outcome(),
        }
    }
}

/// The text of a panic.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given")
}
