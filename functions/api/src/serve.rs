//! The loop of invocations.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use lambda_http::tower::util::MapFutureLayer;
use lambda_http::{Error, Request, service_fn};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::handle::handle;

/// How long invocations may take to be answered after the producer failed for good: they fail at once then.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

const USELESS: &str = "the producer cannot recover, the sandbox must be replaced";

/// Takes invocations until the producer fails for good; Lambda then replaces the sandbox.
///
/// # Errors
/// Where the producer failed for good, or the Runtime API cannot be reached.
pub async fn serve(context: Context) -> Result<(), Error> {
    let fatal = context.fatal().clone();
    let context = Arc::new(context);
    let service = service_fn(move |request: Request| {
        let context = Arc::clone(&context);
        async move { Ok::<_, Infallible>(handle(&context, request).await) }
    });
    let unanswered = TaskTracker::new();
    let (tracker, failed) = (unanswered.clone(), fatal.clone());
    // Outside of the part that sends the answer to Lambda: what is tracked ends with the answer's arrival.
    let track = MapFutureLayer::new(move |invocation| last_if(failed.clone(), tracker.track_future(invocation)));
    let runtime = lambda_http::runtime_concurrent(service).layer(track);
    tokio::select! {
        ended = runtime.run_concurrent() => ended,
        () = useless(&fatal, &unanswered) => Err(USELESS.into()),
    }
}

/// Ends the loop after this invocation, where the producer has failed for good: to ask for another one would freeze the
/// sandbox, and that one would find its process ending.
async fn last_if(fatal: CancellationToken, answered: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let answered = answered.await;
    if fatal.is_cancelled() { Err(USELESS.into()) } else { answered }
}

/// Resolves when the producer has failed for good and no caller waits for an answer any more.
async fn useless(fatal: &CancellationToken, unanswered: &TaskTracker) {
    fatal.cancelled().await;
    unanswered.close();
    if tokio::time::timeout(LAST_ANSWERS, unanswered.wait()).await.is_err() {
        tracing::warn!(unanswered = unanswered.len(), "ending with invocations under way");
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn the_loop_ends_after_the_answer_where_the_producer_has_failed_by_then() {
        let fatal = CancellationToken::new();
        assert!(last_if(fatal.clone(), ready(Ok(()))).await.is_ok());
        let failing = fatal.clone();
        let ended = last_if(fatal, async move {
            failing.cancel();
            Ok(())
        });
        assert_eq!(ended.await.unwrap_err().to_string(), USELESS);
    }

    #[tokio::test(start_paused = true)]
    async fn invocations_that_are_not_answered_hold_up_the_end_for_a_while_and_not_for_ever() {
        let (fatal, unanswered) = (CancellationToken::new(), TaskTracker::new());
        fatal.cancel();
        let began = tokio::time::Instant::now();
        let invocation = unanswered.track_future(tokio::time::sleep(LAST_ANSWERS / 2));
        tokio::join!(useless(&fatal, &unanswered), invocation);
        assert_eq!(began.elapsed(), LAST_ANSWERS / 2);
        let stuck = unanswered.track_future(pending::<()>());
        useless(&fatal, &unanswered).await;
        assert!(began.elapsed() >= LAST_ANSWERS);
        drop(stuck);
    }
}
