//! Sustained work on the runtime's own threads.

use std::future::pending;
use std::panic::resume_unwind;

use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

/// Runs `work` on a worker thread of the runtime. The thread that blocks on the runtime is woken by way of a lock and
/// a condition for each thing that happens, and a consumer on it handles a third fewer records.
///
/// The work ends where nobody waits for it any more; if it panics, so does whoever waits.
pub async fn on_worker<W>(work: W) -> W::Output
where
    W: Future + Send + 'static,
    W::Output: Send + 'static,
{
    match AbortOnDropHandle::new(tokio::spawn(work)).await.map_err(JoinError::try_into_panic) {
        Ok(output) => output,
        Err(Ok(panic)) => resume_unwind(panic),
        // It was aborted, which happens only where the runtime ends, and this with it.
        Err(Err(_)) => pending().await,
    }
}
