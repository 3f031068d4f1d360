//! When a request must be answered.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tokio::time::{Instant, timeout_at};

use crate::Edge;

/// A request extension: the host's own limit, where that may be earlier than [`Limits::answer_within`].
///
/// [`Limits::answer_within`]: crate::Limits::answer_within
#[derive(Debug, Clone, Copy)]
pub struct AnswerBy(pub Instant);

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

    pub(crate) async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, Passed> {
        timeout_at(self.0, work).await.map_err(|_| Passed)
    }
}

impl FromRequestParts<Edge> for Deadline {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, edge: &Edge) -> Result<Self, Infallible> {
        let own = Self::after(edge.limits.answer_within);
        Ok(request.extensions.get::<AnswerBy>().map_or(own, |host| Self(own.0.min(host.0))))
    }
}
