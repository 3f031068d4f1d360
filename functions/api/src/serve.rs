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
    let tracker = unanswered.clone();
    // Outside of the part that sends the answer to Lambda: what is tracked ends with the answer's arrival.
    let track = MapFutureLayer::new(move |invocation| tracker.track_future(invocation));
    let runtime = lambda_http::runtime_concurrent(service).layer(track);
    tokio::select! {
        ended = runtime.run_concurrent() => ended,
        () = useless(&fatal, &unanswered) => Err("the producer cannot recover, the sandbox must be replaced".into()),
    }
}

/// Resolves when the producer has failed for good and no caller waits for an answer any more.
async fn useless(fatal: &CancellationToken, unanswered: &TaskTracker) {
    fatal.cancelled().await;
    unanswered.close();
    if tokio::time::timeout(LAST_ANSWERS, unanswered.wait()).await.is_err() {
        tracing::warn!(unanswered = unanswered.len(), "ending with invocations under way");
    }
}
