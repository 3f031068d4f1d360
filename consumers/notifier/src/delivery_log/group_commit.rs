//! Group commit: items submitted while a transaction is in flight share the next one.

use std::time::Duration;

use metrics::Counter;
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

/// Makes a transaction, again and again while the database is unavailable.
///
/// # Errors
/// The error, where it is not transient: retrying would not help.
pub(super) async fn commit<T, F>(transaction: impl Fn() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut failures = 0;
    loop {
        let error = match transaction().await {
            Ok(committed) => {
                commits("committed").increment(1);
                return Ok(committed);
            }
            Err(error) => error,
        };
        commits("failed").increment(1);
        if error.class() != ErrorClass::Transient {
            return Err(error.to_string());
        }
        failures += 1;
        tracing::warn!(%error, attempt = failures, "recording deliveries failed, retrying");
        let delay = BACKOFF.delay(failures, None, &mut rand::rng());
        tokio::time::sleep(delay).await;
    }
}

/// Describes the metrics, and begins them at 0.
pub(super) fn describe() {
    metrics::describe_counter!(COMMITS, "Transactions that record notifications and deliveries: committed or failed");
    for result in ["committed", "failed"] {
        commits(result).increment(0);
    }
}

const COMMITS: &str = "millrace_notifier_database_commits_total";

fn commits(result: &'static str) -> Counter {
    metrics::counter!(COMMITS, "result" => result)
}
