//! Waiting for a condition, with a bound.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Between two looks.
const POLL: Duration = Duration::from_millis(10);

/// Asks `condition` until it is `Some`, and returns what is in it.
///
/// # Panics
/// When `bound` has passed without it, a look that never returns included; `what` says in the panic what was waited
/// for, as in "the dead letter is on the topic".
pub async fn eventually<T>(bound: Duration, what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + bound;
    let mut looks = 0_u32;
    loop {
        match timeout_at(deadline, condition()).await {
            Ok(Some(found)) => return found,
            Ok(None) if Instant::now() < deadline => looks += 1,
            Ok(None) => panic!("waited {bound:?} in vain until {what} (looked {} times)", looks + 1),
            Err(late) => panic!("waited {bound:?} in vain until {what} (look {} did not end: {late})", looks + 1),
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_condition_is_asked_until_it_holds() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(10), "it was asked thrice", async || {
            looks += 1;
            (looks == 3).then_some("found")
        });
        assert_eq!(found.await, "found");
        assert_eq!(looks, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain until pigs fly")]
    async fn a_condition_that_never_holds_is_named_after_the_bound() {
        eventually(Duration::from_millis(50), "pigs fly", async || None::<()>).await;
    }

    #[tokio::test]
    #[should_panic(expected = "did not end")]
    async fn a_look_that_never_returns_ends_with_the_bound() {
        eventually(Duration::from_millis(50), "it answers", async || std::future::pending::<Option<()>>().await).await;
    }
}
