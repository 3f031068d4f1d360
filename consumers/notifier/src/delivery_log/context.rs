//! The delivery of one notification: its stored progress, the attempts it adds, and how long it may wait.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use millrace_consumer::{AcquireError, Attempt};
use millrace_store::{NotificationOutcome, Progress};

use super::{AttemptRecord, DeliveryLog};
use crate::delivery::DeliveryProgress;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// How long recording the outcome may take once the partition is revoked: without it the next owner delivers again.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(2);

/// What a delivery knows and records of its notification.
pub(crate) struct DeliveryContext<'t> {
    attempt: &'t Attempt<'t>,
    /// Whether a destination was attempted: another owner would attempt it again.
    has_started: AtomicBool,
    /// Whether the notification may be deferred: its progress fits into a resume token.
    may_defer: bool,
    stored: Option<StoredDeliveries<'t>>,
}

/// The notification in the delivery log.
struct StoredDeliveries<'t> {
    log: &'t DeliveryLog,
    progress: Progress,
    /// The attempts at each destination, earlier reads of the record included.
    attempts: Mutex<HashMap<String, i32>>,
}

impl<'t> DeliveryContext<'t> {
    /// A delivery without a delivery log.
    pub(crate) fn unrecorded(attempt: &'t Attempt<'t>) -> Self {
        Self { attempt, has_started: AtomicBool::new(false), may_defer: false, stored: None }
    }

    /// A delivery with its stored progress.
    pub(crate) fn recorded(attempt: &'t Attempt<'t>, log: &'t DeliveryLog, progress: Progress) -> Self {
        let attempts = progress.destinations.iter().map(|known| (known.destination.clone(), known.attempts)).collect();
        let stored = StoredDeliveries { log, progress, attempts: Mutex::new(attempts) };
        Self { stored: Some(stored), ..Self::unrecorded(attempt) }
    }

    /// Waits for a resource. `None` where the partition is revoked before the first attempt.
    pub(crate) async fn acquire<W: Future>(&self, resource: W) -> Option<W::Output> {
        let mut resource = pin!(resource);
        match self.attempt.until_revoked(&mut resource).await {
            None if self.has_started.load(Ordering::Relaxed) => Some(resource.await),
            acquired => acquired,
        }
    }

    /// Allows the notification to be deferred.
    pub(crate) fn allow_deferral(&mut self) {
        self.may_defer = true;
    }

    /// The progress when the notification was deferred.
    pub(crate) fn progress(&self) -> DeliveryProgress {
        DeliveryProgress::from_bits(self.attempt.resume_token())
    }

    /// Whether earlier deferred records wait for the destination's queue, which they enter first.
    pub(crate) fn has_predecessor(&self, queue: usize) -> bool {
        self.may_defer && self.attempt.has_predecessor(queue)
    }

    /// Waits for a slot in a destination's queue, until the notification is to be deferred or its partition is revoked.
    ///
    /// # Errors
    /// Why waiting ended.
    pub(crate) async fn acquire_slot<W: Future>(&self, queue: usize, slot: W) -> Result<W::Output, AcquireError> {
        if !self.may_defer {
            return self.acquire(slot).await.ok_or(AcquireError::Revoked);
        }
        let mut slot = pin!(slot);
        match self.attempt.acquire(queue, &mut slot).await {
            Err(AcquireError::Revoked) if self.has_started.load(Ordering::Relaxed) => Ok(slot.await),
            acquired => acquired,
        }
    }

    /// Marks that an attempt starts.
    pub(crate) fn attempt_started(&self) {
        self.has_started.store(true, Ordering::Relaxed);
    }

    /// Waits for `wait`; `None` where the partition is revoked first.
    pub(crate) async fn until_revoked<W: Future>(&self, wait: W) -> Option<W::Output> {
        self.attempt.until_revoked(wait).await
    }

    /// Whether the delivery log has a delivery to this destination.
    pub(crate) fn has_delivered(&self, destination: &str) -> bool {
        let known = self.stored.iter().flat_map(|stored| &stored.progress.destinations);
        known.into_iter().any(|known| known.delivered && known.destination == destination)
    }

    /// How many attempts the delivery log has at this destination; zero where it also has an outcome, as for a replayed
    /// dead letter.
    pub(crate) fn attempts_before(&self, destination: &str) -> u32 {
        let unfinished = self.stored.iter().filter(|stored| stored.progress.outcome.is_none());
        let mut known = unfinished.flat_map(|stored| &stored.progress.destinations);
        let of_destination = known.find(|known| known.destination == destination);
        of_destination.map_or(0, |known| known.attempts.try_into().unwrap_or(0))
    }

    /// Records an attempt.
    pub(crate) fn record_attempt(&self, event: &Event<'_>, destination: &str, result: &Result<(), Failure>) {
        let Some(stored) = &self.stored else { return };
        // Nothing was sent.
        if result.as_ref().is_err_and(|failure| failure.kind == FailureKind::CircuitOpen) {
            return;
        }
        let mut attempts = stored.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(destination.to_owned()).or_default();
        *attempt = attempt.saturating_add(1);
        stored.log.record_attempt(AttemptRecord {
            event_id: event.id.to_owned(),
            user_id: event.user_id.to_owned(),
            destination: destination.to_owned(),
            attempt: *attempt,
            at: Timestamp::now(),
            error: result.as_ref().err().map(ToString::to_string),
        });
    }

    /// Records the outcome. `None`: the partition was revoked, and whether the outcome was written is unknown.
    ///
    /// # Errors
    /// The store's error, where it is not transient.
    pub(crate) async fn record_outcome(
        &self,
        event: &Event<'_>,
        outcome: NotificationOutcome,
    ) -> Option<Result<(), String>> {
        let Some(stored) = &self.stored else { return Some(Ok(())) };
        let mut written = pin!(stored.log.record_outcome(event.id, outcome));
        match self.attempt.until_revoked(&mut written).await {
            Some(written) => Some(written),
            None => tokio::time::timeout(OUTCOME_TIMEOUT, written).await.ok(),
        }
    }
}
