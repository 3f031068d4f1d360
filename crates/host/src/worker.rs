//! Runs sustained work on the runtime's worker threads.

use std::future::pending;
use std::panic::resume_unwind;

use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

/// Runs `work` on a worker thread of the runtime. The thread inside `block_on` is woken through a mutex and a condition
/// variable for each event, and a consumer on it processes a third fewer records.
///
/// The work is aborted when the returned future is dropped; its panic is resumed in the caller.
pub async fn on_worker<W>(work: W) -> W::Output
where
    W: Future + Send + 'static,
    W::Output: Send + 'static,
{
    match AbortOnDropHandle::new(tokio::spawn(work)).await.map_err(JoinError::try_into_panic) {
        Ok(output) => output,
        Err(Ok(panic)) => resume_unwind(panic),
        // Aborted: the runtime shuts down, and this task with it.
        Err(Err(_)) => pending().await,
    }
}
