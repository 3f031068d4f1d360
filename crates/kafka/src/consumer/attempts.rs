//! One record's way through a processor: tries, back-off between them, and a dead letter where they do not help.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use millrace_domain::{Backoff, DeadLetterClass, Outcome};
use tokio::sync::{Semaphore, watch};

use super::Processor;
use super::lanes::{Finished, Task, Verdict};
use super::letters::{Letters, is_worth_retrying};
use super::options::ConsumerOptions;
use super::partitions::Lease;

/// Delays between tries to write a dead letter: nothing is committed meanwhile, so it is tried for as long as it takes.
const LETTER_BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// See the module's text.
pub(super) struct Attempts<'p, P> {
    processor: &'p P,
    letters: &'p Letters<'p>,
    backoff: Backoff,
    limit: u32,
    /// Taken for each attempt, not for the waiting between: a record that backs off keeps nobody from working.
    concurrency: Semaphore,
    /// Epochs by slot; a record whose epoch is no longer there need not be tried again.
    ownership: watch::Sender<Vec<u32>>,
}

impl<'p, P: Processor> Attempts<'p, P> {
    pub(super) fn new(processor: &'p P, letters: &'p Letters<'p>, options: &ConsumerOptions) -> Self {
        Self {
            processor,
            letters,
            backoff: options.backoff,
            limit: options.max_attempts,
            concurrency: Semaphore::new(options.concurrency),
            ownership: watch::Sender::default(),
        }
    }

    /// Where the engine says what is still owned.
    pub(super) fn ownership(&self) -> watch::Sender<Vec<u32>> {
        self.ownership.clone()
    }

    /// Works on a task until it is done, abandoned, or the consumer must stop.
    pub(super) async fn run(&self, task: Task<'_>) -> Finished {
        let verdict = self.decide(&task).await;
        task.finish(verdict)
    }

    /// What is rare stands in boxes: every record's future is as large as the largest way it may take.
    async fn decide(&self, task: &Task<'_>) -> Verdict {
        let poison = match task.record.value() {
            None => Some("the value is null"),
            Some([]) => Some("the value is empty"),
            Some(_) => None,
        };
        if let Some(reason) = poison {
            return Box::pin(self.dead_letter(task, 1, DeadLetterClass::Permanent, reason)).await;
        }
        let mut attempt = 1;
        loop {
            match self.attempt(task, attempt).await {
                Outcome::Done => return Verdict::Done { letter: None },
                Outcome::DeadLetter { class, reason, attempts } => {
                    return Box::pin(self.dead_letter(task, attempts.unwrap_or(attempt), class, &reason)).await;
                }
                Outcome::Fatal { reason } => return Verdict::Halt(reason),
                Outcome::RetryAfter { reason, .. } if attempt >= self.limit => {
                    return Box::pin(self.dead_letter(task, attempt, DeadLetterClass::Transient, &reason)).await;
                }
                Outcome::RetryAfter { after, reason } => {
                    let delay = self.backoff.delay(attempt, after, &mut rand::rng());
                    let record = &task.record;
                    tracing::debug!(
                        topic = record.topic(),
                        offset = record.offset(),
                        attempt,
                        ?delay,
                        reason,
                        "trying again"
                    );
                    if Box::pin(self.leaves_within(delay, task.lease)).await {
                        return Verdict::Abandoned;
                    }
                    attempt += 1;
                }
            }
        }
    }

    async fn attempt(&self, task: &Task<'_>, attempt: u32) -> Outcome {
        // The semaphore is never closed.
        let _permit = self.concurrency.acquire().await;
        match AssertUnwindSafe(self.processor.process(&task.record, attempt)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
                Outcome::poison(format!("processing panicked: {}", text.unwrap_or("no reason given")))
            }
        }
    }

    async fn dead_letter(&self, task: &Task<'_>, attempts: u32, class: DeadLetterClass, reason: &str) -> Verdict {
        let record = &task.record;
        tracing::warn!(
            topic = record.topic(), partition = record.partition(), offset = record.offset(), attempts, %class, reason,
            "dead-lettering a record"
        );
        for tries in 1.. {
            match self.letters.send(record, attempts, class, reason).await {
                Ok(()) => return Verdict::Done { letter: Some(class) },
                Err(error) if is_worth_retrying(&error) => {
                    tracing::error!(%error, "a dead letter was not acknowledged, trying again");
                    let delay = LETTER_BACKOFF.delay(tries, None, &mut rand::rng());
                    if self.leaves_within(delay, task.lease).await {
                        break;
                    }
                }
                Err(error) => return Verdict::Halt(format!("a dead letter cannot be written: {error}")),
            }
        }
        Verdict::Abandoned
    }

    /// Waits; true as soon as the partition leaves.
    async fn leaves_within(&self, delay: Duration, lease: Lease) -> bool {
        let mut ownership = self.ownership.subscribe();
        let left = ownership.wait_for(|epochs| epochs.get(lease.slot) != Some(&lease.epoch));
        tokio::time::timeout(delay, left).await.is_ok()
    }
}
