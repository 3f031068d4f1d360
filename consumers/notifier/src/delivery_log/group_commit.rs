//! Group commit: items submitted while a transaction is in flight share the next one.

use std::time::Duration;

use millrace_domain::{Backoff, ErrorClass};
use millrace_store::StoreError;
use tokio::sync::mpsc;

/// The most items of one transaction.
const BATCH_LIMIT: usize = 1_000;

/// Delays between attempts while the database is unavailable.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// A queue of items, and the task that writes them. Bounded by the notifications in flight and the attempts that these
/// make.
pub(super) struct GroupCommit<T>(mpsc::UnboundedSender<T>);

impl<T: Send + 'static> GroupCommit<T> {
    /// Starts the task. It calls `write` with the items of one transaction after the other.
    pub(super) fn start<F>(write: impl Fn(Vec<T>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let (sender, mut queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let mut items = Vec::new();
                if queue.recv_many(&mut items, BATCH_LIMIT).await == 0 {
                    return;
                }
                write(items).await;
            }
        });
        Self(sender)
    }

    /// Submits an item. It is not written once the runtime has ended.
    pub(super) fn submit(&self, item: T) {
        // Its dropped reply channel tells the caller.
        let _ = self.0.send(item);
    }
}

/// The retries of one transaction: without limit while the database is unavailable.
#[derive(Default)]
pub(super) struct Retries(u32);

impl Retries {
    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The error, where it is not transient: retrying would not help.
    pub(super) async fn after(&mut self, error: StoreError) -> Result<(), String> {
        if error.class() != ErrorClass::Transient {
            return Err(error.to_string());
        }
        self.0 = self.0.saturating_add(1);
        tracing::warn!(%error, attempt = self.0, "recording deliveries failed, retrying");
        let delay = BACKOFF.delay(self.0, None, &mut rand::rng());
        tokio::time::sleep(delay).await;
        Ok(())
    }
}
