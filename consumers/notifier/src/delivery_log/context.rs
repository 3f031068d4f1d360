//! One notification on its way: what is known of it, and what it adds.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use millrace_consumer::{AcquireError, Attempt};
use millrace_store::{NotificationOutcome, Progress};

use super::{AttemptRecord, DeliveryLog};
use crate::delivery::RouteProgress;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// How long the record of an end is waited for once its partition leaves: without it the next owner delivers again.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// See the module's text.
pub(crate) struct DeliveryContext<'t> {
    attempt: &'t Attempt<'t>,
    /// Whether any destination was tried: a repeat would try it again.
    has_begun: AtomicBool,
    /// Whether it may be postponed: it can be told then how far it has come.
    may_postpone: bool,
    account: Option<Account<'t>>,
}

struct Account<'t> {
    deliveries: &'t DeliveryLog,
    progress: Progress,
    /// How many attempts each destination has had, those of earlier turns included.
    attempts: Mutex<HashMap<String, i32>>,
}

impl<'t> DeliveryContext<'t> {
    /// A turn that nobody writes down.
    pub(crate) fn unrecorded(attempt: &'t Attempt<'t>) -> Self {
        Self { attempt, has_begun: AtomicBool::new(false), may_postpone: false, account: None }
    }

    /// The turn of a notification that came so far.
    pub(crate) fn recorded(attempt: &'t Attempt<'t>, deliveries: &'t DeliveryLog, progress: Progress) -> Self {
        let attempts = progress.destinations.iter().map(|known| (known.destination.clone(), known.attempts)).collect();
        let account = Account { deliveries, progress, attempts: Mutex::new(attempts) };
        Self { account: Some(account), ..Self::unrecorded(attempt) }
    }

    /// Waits for its turn at something scarce, or until the notification can be left to its next reader.
    pub(crate) async fn at<W: Future>(&self, scarce: W) -> Option<W::Output> {
        let mut scarce = pin!(scarce);
        match self.attempt.until_revoked(&mut scarce).await {
            None if self.has_begun.load(Ordering::Relaxed) => Some(scarce.await),
            reached => reached,
        }
    }

    /// From now on it may be postponed.
    pub(crate) fn may_postpone(&mut self) {
        self.may_postpone = true;
    }

    /// How far it had come when it was postponed.
    pub(crate) fn stages(&self) -> RouteProgress {
        RouteProgress::from_bits(self.attempt.resume_token())
    }

    /// Whether others wait on their topic for a place in a destination's queue, and are to have theirs first.
    pub(crate) fn has_predecessor(&self, queue: usize) -> bool {
        self.may_postpone && self.attempt.has_predecessor(queue)
    }

    /// Waits for a place in a destination's queue, at most until it can be left on its topic or to its next reader.
    ///
    /// # Errors
    /// Why there is no use in waiting.
    pub(crate) async fn place<W: Future>(&self, queue: usize, scarce: W) -> Result<W::Output, AcquireError> {
        if !self.may_postpone {
            return self.at(scarce).await.ok_or(AcquireError::Revoked);
        }
        let mut scarce = pin!(scarce);
        match self.attempt.acquire(queue, &mut scarce).await {
            Err(AcquireError::Revoked) if self.has_begun.load(Ordering::Relaxed) => Ok(scarce.await),
            reached => reached,
        }
    }

    /// An attempt is made.
    pub(crate) fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Waits for `wait`, or until the partition leaves.
    pub(crate) async fn until_revoked<W: Future>(&self, wait: W) -> Option<W::Output> {
        self.attempt.until_revoked(wait).await
    }

    /// Whether an earlier turn delivered to this destination.
    pub(crate) fn has_delivered(&self, destination: &str) -> bool {
        let known = self.account.iter().flat_map(|account| &account.progress.destinations);
        known.into_iter().any(|known| known.delivered && known.destination == destination)
    }

    /// How many attempts earlier turns made at this destination, where the notification has not ended since.
    pub(crate) fn attempts_before(&self, destination: &str) -> u32 {
        let unfinished = self.account.iter().filter(|account| account.progress.outcome.is_none());
        let mut known = unfinished.flat_map(|account| &account.progress.destinations);
        let of_destination = known.find(|known| known.destination == destination);
        of_destination.map_or(0, |known| known.attempts.try_into().unwrap_or(0))
    }

    /// Notes an attempt that was made.
    pub(crate) fn note(&self, event: &Event<'_>, destination: &str, result: &Result<(), Failure>) {
        let Some(account) = &self.account else { return };
        // Nothing was sent.
        if result.as_ref().is_err_and(|failure| failure.kind == FailureKind::CircuitOpen) {
            return;
        }
        let mut attempts = account.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(destination.to_owned()).or_default();
        *attempt = attempt.saturating_add(1);
        account.deliveries.note(AttemptRecord {
            event_id: event.id.to_owned(),
            user_id: event.user_id.to_owned(),
            destination: destination.to_owned(),
            attempt: *attempt,
            at: Timestamp::now(),
            error: result.as_ref().err().map(ToString::to_string),
        });
    }

    /// Writes down how it ended. `None`: the record is another owner's now, and nobody knows whether it was written.
    ///
    /// # Errors
    /// What a person must mend.
    pub(crate) async fn conclude(&self, event: &Event<'_>, outcome: NotificationOutcome) -> Option<Result<(), String>> {
        let Some(account) = &self.account else { return Some(Ok(())) };
        let mut written = std::pin::pin!(account.deliveries.conclude(event.id, outcome));
        match self.attempt.until_revoked(&mut written).await {
            Some(written) => Some(written),
            None => tokio::time::timeout(LAST_WORDS, written).await.ok(),
        }
    }
}
