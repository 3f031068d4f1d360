//! Failures of deliveries: their kinds, and whether another attempt may help.

use std::fmt;
use std::time::Duration;

use millrace_outbound::{PostFailure, PostFailureKind};

/// A failed attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its kind.
    pub(crate) kind: FailureKind,
    /// The least time to wait before the next attempt, where the destination named one (`Retry-After`).
    pub(crate) retry_after: Option<Duration>,
    /// What happened, on one line.
    pub(crate) reason: String,
    /// How many attempts were made.
    pub(crate) attempts: u32,
}

/// What a failure means for its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The destination is unreachable, hangs or answers 5xx: retried, and counted by the circuit breaker.
    Unavailable,
    /// The destination is healthy and rate-limits: retried.
    Throttled,
    /// The destination's circuit breaker is open: nothing was sent.
    CircuitOpen,
    /// The record's partition was revoked: its next owner reads it again.
    Revoked,
    /// The destination's queue is full: the record is deferred, and read again when the queue has capacity.
    Deferred {
        /// The destination's queue.
        queue: usize,
    },
    /// The destination rejects this notification: not retried.
    Refused,
}

impl Failure {
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self { kind: FailureKind::Unavailable, retry_after: None, reason: reason.into(), attempts: 0 }
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self { kind: FailureKind::Refused, retry_after: None, reason: reason.into(), attempts: 0 }
    }

    /// No attempt was made; `last` is why the last one failed.
    pub(crate) fn circuit_open(last: &str) -> Self {
        let reason = format!("not attempted, circuit breaker open; the last attempt failed: {last}");
        Self { kind: FailureKind::CircuitOpen, retry_after: None, reason, attempts: 0 }
    }

    pub(crate) fn revoked() -> Self {
        Self { kind: FailureKind::Revoked, retry_after: None, reason: "partition revoked".to_owned(), attempts: 0 }
    }

    pub(crate) fn deferred(queue: usize) -> Self {
        let kind = FailureKind::Deferred { queue };
        Self { kind, retry_after: None, reason: "deferred".to_owned(), attempts: 0 }
    }

    /// Whether another attempt with the same notification may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        self.kind != FailureKind::Refused
    }
}

impl From<PostFailure> for Failure {
    fn from(failure: PostFailure) -> Self {
        let kind = match failure.kind {
            PostFailureKind::Unavailable => FailureKind::Unavailable,
            PostFailureKind::Throttled => FailureKind::Throttled,
            PostFailureKind::Refused => FailureKind::Refused,
        };
        Self { kind, retry_after: failure.retry_after, reason: failure.reason, attempts: 0 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_post_keeps_its_kind_its_delay_and_its_reason() {
        for (posted, kind) in [
            (PostFailureKind::Unavailable, FailureKind::Unavailable),
            (PostFailureKind::Throttled, FailureKind::Throttled),
            (PostFailureKind::Refused, FailureKind::Refused),
        ] {
            let retry_after = Some(Duration::from_secs(17));
            let posted = PostFailure { kind: posted, retry_after, reason: "answered".to_owned() };
            assert_eq!((posted.kind != PostFailureKind::Refused), Failure::from(posted.clone()).is_transient());
            let expected = Failure { kind, retry_after, reason: "answered".to_owned(), attempts: 0 };
            assert_eq!(Failure::from(posted), expected);
        }
    }
}
