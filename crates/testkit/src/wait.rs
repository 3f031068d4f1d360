//! Waiting for a condition with a time-out.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// The time between two attempts.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Polls `condition` until it is `Some`, and returns its value.
///
/// # Panics
/// After `timeout`, also during an attempt that does not return; the panic names `what` was waited for, as in "the dead
/// letter is on the topic".
pub async fn eventually<T>(timeout: Duration, what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + timeout;
    let mut attempts = 0_u32;
    loop {
        match timeout_at(deadline, condition()).await {
            Ok(Some(found)) => return found,
            Ok(None) if Instant::now() < deadline => attempts += 1,
            Ok(None) => panic!("timed out after {timeout:?} waiting until {what} ({} attempts)", attempts + 1),
            Err(late) => panic!(
                "timed out after {timeout:?} waiting until {what} (attempt {} did not return: {late})",
                attempts + 1
            ),
        }
        sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_condition_is_polled_until_it_holds() {
        let mut attempts = 0;
        let found = eventually(Duration::from_secs(10), "it was polled three times", async || {
            attempts += 1;
            (attempts == 3).then_some("found")
        });
        assert_eq!(found.await, "found");
        assert_eq!(attempts, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "waiting until pigs fly")]
    async fn the_panic_after_the_timeout_names_the_condition() {
        eventually(Duration::from_millis(50), "pigs fly", async || None::<()>).await;
    }

    #[tokio::test]
    #[should_panic(expected = "did not return")]
    async fn an_attempt_that_never_returns_times_out() {
        eventually(Duration::from_millis(50), "it answers", async || std::future::pending::<Option<()>>().await).await;
    }
}
