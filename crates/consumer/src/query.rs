//! A query that blocks its caller, such as librdkafka's.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// One query at a time, on a blocking thread, and not more often than its interval. Its answer is taken later.
pub(crate) struct Query<T> {
    /// Queries under way: the client must not close before they end.
    tracker: TaskTracker,
    interval: Duration,
    asked: Option<Instant>,
    running: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> Query<T> {
    pub(crate) fn new(tracker: &TaskTracker, interval: Duration) -> Self {
        Self { tracker: tracker.clone(), interval, asked: None, running: None }
    }

    /// Whether it may be asked: no query is under way, and the interval has passed since the last one.
    pub(crate) fn is_due(&self) -> bool {
        self.running.is_none() && self.asked.is_none_or(|asked| asked.elapsed() >= self.interval)
    }

    /// Asks. A query that is under way is no longer listened to.
    pub(crate) fn ask(&mut self, query: impl FnOnce() -> T + Send + 'static) {
        self.asked = Some(Instant::now());
        self.running = Some(self.tracker.spawn_blocking(query));
    }

    /// The answer, once; `None` while there is none. A query that panicked has none.
    pub(crate) fn take_answer(&mut self) -> Option<T> {
        let answer = self.running.as_mut().and_then(FutureExt::now_or_never)?;
        self.running = None;
        answer.ok()
    }

    /// Listens to no answer, and is due again after the interval.
    pub(crate) fn postpone(&mut self) {
        self.running = None;
        self.asked = Some(Instant::now());
    }
}
