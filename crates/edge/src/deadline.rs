//! Request deadlines.

use std::time::Duration;

use http::Extensions;
use tokio::time::{Instant, timeout_at};

use crate::Edge;

/// A request extension: the host's deadline, where it may be earlier than [`Limits::answer_within`].
///
/// [`Limits::answer_within`]: crate::Limits::answer_within
#[derive(Debug, Clone, Copy)]
pub struct RequestDeadline(pub Instant);

/// The time by which a request is answered in any case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

/// The deadline was exceeded.
#[derive(Debug)]
pub(crate) struct DeadlineExceeded;

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    /// This deadline, or an earlier one after `timeout`.
    pub(crate) fn at_most(self, timeout: Duration) -> Self {
        Self(self.0.min(Instant::now() + timeout))
    }

    pub(crate) async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, DeadlineExceeded> {
        timeout_at(self.0, work).await.map_err(|_| DeadlineExceeded)
    }
}

impl Edge {
    /// The edge's own time-out from now, or the host's deadline where it is earlier.
    pub(crate) fn deadline(&self, request: &Extensions) -> Deadline {
        let own = Deadline::after(self.limits.answer_within);
        request.get::<RequestDeadline>().map_or(own, |host| Deadline(own.0.min(host.0)))
    }
}
