//! One record's way through a processor: tries, back-off between them, and a dead letter where they do not help.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use millrace_domain::{Backoff, DeadLetterClass, Outcome};
use tokio::sync::Semaphore;

use super::Processor;
use super::crowd::Crowd;
use super::engine::Frame;
use super::lane::{Task, TaskEnd};
use super::letters::{Letters, Refusal, poison};
use super::ownership::Ownership;
use super::partitions::Lease;
use super::work::{Later, Verdict};
use crate::failpoint::failpoint;

/// One try of a record, as its processor sees it.
#[derive(Debug)]
pub struct Attempt<'a> {
    number: u32,
    /// Where it is told what is still owned, and what this record needs of it.
    claim: Option<(&'a Ownership, Lease)>,
    /// Where it is told when memory is scarce.
    crowd: Option<&'a Crowd>,
    note: Option<u64>,
}

/// Why a record did not get its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTurn {
    /// There is no more point in it: the record is read again by its next owner.
    GivenUp,
    /// Too many wait: the outcome should be [`Outcome::Postponed`].
    Crowded,
}

impl Attempt<'_> {
    /// A first try that nobody gives up: for calls outside of a consumer.
    pub fn first() -> Self {
        Self { number: 1, claim: None, crowd: None, note: None }
    }

    /// Counts from 1, and grows with each try of the same record in this process.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Waits for `wait`, or until there is no more point in it: the record's partition leaves, or the consumer stops.
    /// The answer is `None` then, and whatever outcome follows but a finished one, the record is read again by its
    /// next owner.
    pub async fn unless_given_up<W: Future>(&self, wait: W) -> Option<W::Output> {
        match self.claim {
            Some((ownership, lease)) => ownership.while_owned(lease, wait).await,
            None => Some(wait.await),
        }
    }

    /// Whether others are postponed behind one of the processor's queues, and the record is not one of them: they are to
    /// have their turn first.
    pub fn is_behind(&self, queue: usize) -> bool {
        self.note.is_none() && self.crowd.is_some_and(|crowd| crowd.has_postponed(queue))
    }

    /// Waits for its turn in one of the processor's queues. Where too many records wait, and nothing has been done for
    /// this one that its outcome cannot tell, it can be postponed.
    ///
    /// # Errors
    /// [`NoTurn`], and `wait` is dropped.
    pub async fn turn<W: Future>(&self, queue: usize, wait: W) -> Result<W::Output, NoTurn> {
        if self.is_behind(queue) {
            return Err(NoTurn::Crowded);
        }
        let wait = async {
            match self.crowd {
                Some(crowd) => crowd.wait(wait).await,
                None => Some(wait.await),
            }
        };
        self.unless_given_up(wait).await.ok_or(NoTurn::GivenUp)?.ok_or(NoTurn::Crowded)
    }

    /// What was noted when the record was postponed; 0 where it was not.
    pub fn note(&self) -> u64 {
        self.note.unwrap_or(0)
    }
}

impl<'a> Attempt<'a> {
    /// The first try of what a lease stands for.
    pub(super) fn of(ownership: &'a Ownership, lease: Lease) -> Self {
        Self { claim: Some((ownership, lease)), ..Attempt::first() }
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.claim.is_some_and(|(ownership, lease)| ownership.is_given_up(lease))
    }

    /// Another one follows.
    pub(super) fn advance(&mut self) {
        self.number += 1;
    }
}

/// See the module's text.
pub(super) struct Attempts<'p, P> {
    processor: &'p P,
    letters: Letters<'p>,
    backoff: Backoff,
    limit: u32,
    /// Taken for each attempt, not for the waiting between: a record that backs off keeps nobody from working.
    concurrency: Semaphore,
    ownership: Ownership,
    crowd: Crowd,
}

impl<'p, P: Processor> Attempts<'p, P> {
    pub(super) fn new(processor: &'p P, letters: Letters<'p>, frame: &Frame<'_>) -> Self {
        let Frame { options, .. } = *frame;
        Self {
            processor,
            letters,
            backoff: options.backoff,
            limit: options.max_attempts,
            concurrency: Semaphore::new(options.concurrency),
            ownership: frame.ownership.clone(),
            crowd: frame.crowd.clone(),
        }
    }

    /// Works on a task until it is done, postponed, abandoned, or the consumer must stop.
    pub(super) async fn run(&self, task: Task<'_>) -> TaskEnd<P::Product> {
        failpoint!("record.taken");
        let verdict = self.decide(&task).await;
        failpoint!("record.processed");
        task.finish(verdict)
    }

    /// What is rare stands in boxes: every record's future is as large as the largest way it may take.
    async fn decide(&self, task: &Task<'_>) -> Verdict<P::Product> {
        let mut attempt =
            Attempt { crowd: Some(&self.crowd), note: task.note, ..Attempt::of(&self.ownership, task.lease) };
        if let Some(reason) = poison(&task.record) {
            return self.refuse(task, &attempt, None, DeadLetterClass::Permanent, reason).await;
        }
        loop {
            match self.attempt(task, &attempt).await {
                Outcome::Done(product) => return Verdict::Done(product),
                Outcome::DeadLetter { class, reason, attempts } => {
                    return self.refuse(task, &attempt, attempts, class, &reason).await;
                }
                Outcome::Fatal { reason } => return Verdict::Halt(reason),
                Outcome::RetryAfter { .. } | Outcome::Postponed { .. } if attempt.is_given_up() => {
                    return Verdict::Abandoned;
                }
                Outcome::Postponed { queue, note } => return Verdict::Postponed(Some(Later { queue, note })),
                Outcome::RetryAfter { reason, .. } if attempt.number >= self.limit => {
                    return self.refuse(task, &attempt, None, DeadLetterClass::Transient, &reason).await;
                }
                Outcome::RetryAfter { after, reason } => {
                    let delay = self.backoff.delay(attempt.number, after, &mut rand::rng());
                    let record = &task.record;
                    tracing::debug!(
                        topic = record.topic(),
                        offset = record.offset(),
                        attempt = attempt.number,
                        ?delay,
                        reason,
                        "trying again"
                    );
                    if Box::pin(attempt.unless_given_up(tokio::time::sleep(delay))).await.is_none() {
                        return Verdict::Abandoned;
                    }
                    attempt.advance();
                }
            }
        }
    }

    async fn attempt(&self, task: &Task<'_>, attempt: &Attempt<'_>) -> Outcome<P::Product> {
        // The semaphore is never closed.
        let _permit = self.concurrency.acquire().await;
        match AssertUnwindSafe(self.processor.process(&task.record, attempt)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => Outcome::poison(format!("processing panicked: {}", text_of(&*panic))),
        }
    }

    /// `attempts` where the processor counted by itself.
    async fn refuse(
        &self,
        task: &Task<'_>,
        attempt: &Attempt<'_>,
        attempts: Option<u32>,
        class: DeadLetterClass,
        reason: &str,
    ) -> Verdict<P::Product> {
        let refusal = Refusal { attempts: attempts.unwrap_or(attempt.number), class, reason };
        match Box::pin(self.letters.refuse([(&task.record, refusal)].into_iter(), attempt)).await {
            Ok(mut letters) => Verdict::DeadLettered { class, letter: letters.pop() },
            Err(unwritten) => unwritten.verdict(),
        }
    }
}

/// What a panic said.
pub(super) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given")
}
