//! Group commit: whatever comes while a transaction is under way goes into the next one.

use std::time::Duration;

use millrace_domain::{Backoff, ErrorClass};
use millrace_store::StoreError;
use tokio::sync::mpsc;

/// The most items of a transaction.
const MOST: usize = 1_000;

/// Delays between tries while the database is away.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// A queue of items, and the task that writes them. There are as many items as notifications in flight, which is
/// limited, and as many attempts as those make.
pub(super) struct GroupCommit<T>(mpsc::UnboundedSender<T>);

impl<T: Send + 'static> GroupCommit<T> {
    /// Starts writing by `write`, which is given the items of one transaction after the other.
    pub(super) fn start<F>(write: impl Fn(Vec<T>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let (sender, mut queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let mut items = Vec::new();
                if queue.recv_many(&mut items, MOST).await == 0 {
                    return;
                }
                write(items).await;
            }
        });
        Self(sender)
    }

    /// Hands an item over. Nobody writes it any more once the runtime ends.
    pub(super) fn submit(&self, item: T) {
        // An answer that never comes says so as well.
        let _ = self.0.send(item);
    }
}

/// The tries of one transaction, which is tried again for as long as the database is away.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Waits for the next try.
    ///
    /// # Errors
    /// What a person must mend: there is no next try.
    pub(super) async fn after(&mut self, error: StoreError) -> Result<(), String> {
        if error.class() != ErrorClass::Transient {
            return Err(error.to_string());
        }
        self.0 = self.0.saturating_add(1);
        tracing::warn!(%error, attempt = self.0, "deliveries cannot be recorded, trying again");
        let delay = BACKOFF.delay(self.0, None, &mut rand::rng());
        tokio::time::sleep(delay).await;
        Ok(())
    }
}
