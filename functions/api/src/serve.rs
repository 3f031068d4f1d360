//! The invocation loop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use lambda_http::tower::util::MapFutureLayer;
use lambda_http::{Error, Request, RequestExt as _, service_fn};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::context::Context;
use crate::handle::handle;

/// Time-out of the pending invocations after a fatal producer error: they fail at once then.
const PENDING_TIMEOUT: Duration = Duration::from_secs(2);

const FATAL: &str = "fatal producer error, the execution environment must be replaced";

/// Handles invocations until a fatal producer error; Lambda then replaces the execution environment.
///
/// # Errors
/// A fatal producer error, or the Runtime API cannot be reached.
pub async fn serve(context: Context) -> Result<(), Error> {
    let fatal = context.fatal().clone();
    let context = Arc::new(context);
    let service = service_fn(move |request: Request| {
        let context = Arc::clone(&context);
        let invocation = request.lambda_context_ref().map_or("", |invocation| &invocation.request_id);
        let span = millrace_lambda::invocation_span(invocation);
        async move { Ok::<_, Infallible>(handle(&context, request).await) }.instrument(span)
    });
    let pending = TaskTracker::new();
    let (tracker, failed) = (pending.clone(), fatal.clone());
    // Outside of the layer that sends the response to Lambda: an invocation is pending until its response has arrived.
    let track = MapFutureLayer::new(move |invocation| last_if(failed.clone(), tracker.track_future(invocation)));
    let runtime = lambda_http::runtime_concurrent(service).layer(track);
    tokio::select! {
        ended = runtime.run_concurrent() => ended,
        () = drained(&fatal, &pending) => Err(FATAL.into()),
    }
}

/// Ends the loop after this invocation, where the producer has a fatal error: polling for the next one would freeze the
/// environment, and the process would exit during that invocation.
async fn last_if(fatal: CancellationToken, answered: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let answered = answered.await;
    if fatal.is_cancelled() { Err(FATAL.into()) } else { answered }
}

/// Resolves after a fatal producer error, once no invocation is pending or the time-out has passed.
async fn drained(fatal: &CancellationToken, pending: &TaskTracker) {
    fatal.cancelled().await;
    pending.close();
    if tokio::time::timeout(PENDING_TIMEOUT, pending.wait()).await.is_err() {
        tracing::warn!(pending = pending.len(), "exiting with pending invocations");
    }
}

#[cfg(test)]
mod tests {
    use std::future::{self, ready};

    use super::*;

    #[tokio::test]
    async fn after_a_fatal_error_the_loop_ends_with_the_response() {
        let fatal = CancellationToken::new();
        assert!(last_if(fatal.clone(), ready(Ok(()))).await.is_ok());
        let failing = fatal.clone();
        let ended = last_if(fatal, async move {
            failing.cancel();
            Ok(())
        });
        assert_eq!(ended.await.unwrap_err().to_string(), FATAL);
    }

    #[tokio::test(start_paused = true)]
    async fn pending_invocations_delay_the_exit_until_the_time_out() {
        let (fatal, pending) = (CancellationToken::new(), TaskTracker::new());
        fatal.cancel();
        let began = tokio::time::Instant::now();
        let invocation = pending.track_future(tokio::time::sleep(PENDING_TIMEOUT / 2));
        tokio::join!(drained(&fatal, &pending), invocation);
        assert_eq!(began.elapsed(), PENDING_TIMEOUT / 2);
        let stuck = pending.track_future(future::pending::<()>());
        drained(&fatal, &pending).await;
        assert!(began.elapsed() >= PENDING_TIMEOUT);
        drop(stuck);
    }
}
