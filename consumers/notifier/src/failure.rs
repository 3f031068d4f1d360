//! Why a delivery failed, and what that means for the next one.

use std::fmt;
use std::time::Duration;

/// A failed attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What kind it is.
    pub(crate) kind: FailureKind,
    /// The least time to wait before the next attempt, where the other side named one.
    pub(crate) retry_after: Option<Duration>,
    /// What happened, on one line.
    pub(crate) reason: String,
    /// How many attempts it ended.
    pub(crate) attempts: u32,
}

/// What a failure says about its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The destination is not there, hangs or is broken: try again; the circuit breaker counts it.
    Unavailable,
    /// The destination is well and asks for less: try again.
    Throttled,
    /// The destination's circuit breaker is open: nothing was sent.
    CircuitOpen,
    /// Nobody waits for the answer any more: the record is read again by its next owner.
    GivenUp,
    /// Too many wait for the destination: the record is read again when there is room.
    Crowded {
        /// The destination's queue.
        queue: usize,
    },
    /// This notification will not be taken: no second attempt.
    Refused,
}

impl Failure {
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self { kind: FailureKind::Unavailable, retry_after: None, reason: reason.into(), attempts: 0 }
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self { kind: FailureKind::Refused, retry_after: None, reason: reason.into(), attempts: 0 }
    }

    /// `last` is why the last attempt failed.
    pub(crate) fn circuit_open(last: &str) -> Self {
        let reason = format!("not tried, because the last attempts all failed (its circuit breaker is open): {last}");
        Self { kind: FailureKind::CircuitOpen, retry_after: None, reason, attempts: 0 }
    }

    pub(crate) fn given_up() -> Self {
        Self { kind: FailureKind::GivenUp, retry_after: None, reason: "given up".to_owned(), attempts: 0 }
    }

    pub(crate) fn crowded(queue: usize) -> Self {
        let kind = FailureKind::Crowded { queue };
        Self { kind, retry_after: None, reason: "postponed".to_owned(), attempts: 0 }
    }

    /// Whether the same notification may get through later.
    pub(crate) fn is_transient(&self) -> bool {
        self.kind != FailureKind::Refused
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
