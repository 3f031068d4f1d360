//! When a request must be answered.

use std::time::Duration;

use http::Extensions;
use tokio::time::{Instant, timeout_at};

use crate::Edge;

/// A request extension: the host's own limit, where that may be earlier than [`Limits::answer_within`].
///
/// [`Limits::answer_within`]: crate::Limits::answer_within
#[derive(Debug, Clone, Copy)]
pub struct RequestDeadline(pub Instant);

/// The moment by which a request is answered, whatever happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

/// The deadline passed first.
#[derive(Debug)]
pub(crate) struct Passed;

impl Deadline {
    pub(crate) fn after(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    /// This deadline, or an earlier one after `patience`.
    pub(crate) fn at_most(self, patience: Duration) -> Self {
        Self(self.0.min(Instant::now() + patience))
    }

    pub(crate) async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, Passed> {
        timeout_at(self.0, work).await.map_err(|_| Passed)
    }
}

impl Edge {
    /// This edge's own limit from now on, or the host's where that is earlier.
    pub(crate) fn deadline(&self, request: &Extensions) -> Deadline {
        let own = Deadline::after(self.limits.answer_within);
        request.get::<RequestDeadline>().map_or(own, |host| Deadline(own.0.min(host.0)))
    }
}
