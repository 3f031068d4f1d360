//! Failed posts: their kinds, and whether another attempt may help.

use std::time::Duration;

use thiserror::Error;

/// A failed attempt to post.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct PostFailure {
    /// Its kind.
    pub kind: PostFailureKind,
    /// The least time to wait before the next attempt, where the destination named one (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// What happened, on one line and without the URL, which may hold a secret.
    pub reason: String,
}

/// What a failure means for its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostFailureKind {
    /// The destination is unreachable or answers 408 or 5xx: another attempt may succeed.
    Unavailable,
    /// The destination is healthy and rate-limits: another attempt may succeed.
    Throttled,
    /// The destination rejects the post, or its address is not allowed: another attempt is no use.
    Refused,
}

impl PostFailure {
    /// The destination could not be reached, or did not answer.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self { kind: PostFailureKind::Unavailable, retry_after: None, reason: reason.into() }
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self { kind: PostFailureKind::Refused, retry_after: None, reason: reason.into() }
    }
}
