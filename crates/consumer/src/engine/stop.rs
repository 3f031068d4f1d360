//! Why the engine ends, and when it may.

use std::time::Duration;

use millrace_domain::DeadLetterClass;
use tokio::time::Instant;

use crate::dlq::cause::Cause;
use crate::error::ConsumerError;

/// How long a commit may stay unanswered when a revocation, or the end of the process, waits for it.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Until when something that is given back is finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    pub(super) fn is_over(self) -> bool {
        self.is_over_by(Duration::ZERO)
    }

    pub(super) fn is_over_by(self, time: Duration) -> bool {
        Instant::now() >= self.0 + time
    }
}

/// What ends the engine.
#[derive(Debug)]
pub(super) struct Stop {
    /// Why it cannot go on.
    error: Option<ConsumerError>,
    /// Records in a row that were refused for good, and how many of them are too many; 0: never.
    refused: u64,
    refused_limit: u64,
    /// It was told to stop: until when it waits for what is in flight.
    draining: Option<Deadline>,
    /// Since when it only waits for its last commit.
    settling_since: Option<Instant>,
}

impl Stop {
    pub(super) fn new(dead_letter_limit: u64) -> Self {
        Self { error: None, refused: 0, refused_limit: dead_letter_limit, draining: None, settling_since: None }
    }

    /// It cannot go on; the first reason counts.
    pub(super) fn fail(&mut self, error: ConsumerError) {
        self.error.get_or_insert(error);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn take_error(&mut self) -> Option<ConsumerError> {
        self.error.take()
    }

    /// A record was processed.
    pub(super) fn processed(&mut self) {
        self.refused = 0;
    }

    /// A record was refused. What a destination that is down refuses, or retention deletes, is not the deploy's fault.
    pub(super) fn refused(&mut self, cause: Cause) {
        self.refused += u64::from(cause.class() == DeadLetterClass::Permanent && cause != Cause::Deleted);
        let limit = self.refused_limit;
        if limit > 0 && self.refused >= limit {
            let reason = format!("{limit} records in a row were refused for good (--dead-letter-limit)");
            self.fail(ConsumerError::Halted(reason));
        }
    }

    pub(super) fn drain(&mut self, time: Duration) {
        self.draining = Some(Deadline::after(time));
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// Whether it drains, and need not wait for these records in flight any more.
    pub(super) fn may_settle(&mut self, in_flight: usize) -> bool {
        let Some(deadline) = self.draining else { return false };
        let is_over = in_flight > 0 && deadline.is_over();
        if is_over && self.settling_since.is_none() {
            tracing::warn!(
                records = in_flight,
                "drain deadline passed; unfinished records are left uncommitted and read again"
            );
        }
        in_flight == 0 || is_over
    }

    /// Whether its last commit has had its time.
    pub(super) fn is_overdue(&mut self) -> bool {
        self.settling_since.get_or_insert_with(Instant::now).elapsed() >= COMMIT_TIMEOUT
    }
}
