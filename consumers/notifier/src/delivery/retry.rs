//! The retry policy: whether a failed attempt is followed by another one, and after which delay. Pure.

use std::time::Duration;

use millrace_domain::Backoff;
use rand::Rng;

use crate::failure::Failure;

/// The longest `Retry-After` that is honoured; a longer one is cut to it.
pub(crate) const RETRY_AFTER_LIMIT: Duration = Duration::from_mins(1);

/// How many attempts a delivery has, and the back-off between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// Attempts in all.
    pub(crate) attempts: u32,
    /// Delays between them.
    pub(crate) backoff: Backoff,
}

impl RetryPolicy {
    /// The delay before the next attempt after `attempt` attempts (counted from 1) failed; `None` where none follows.
    pub(crate) fn delay(&self, attempt: u32, failure: &Failure, random: &mut impl Rng) -> Option<Duration> {
        if !failure.is_transient() || attempt >= self.attempts {
            return None;
        }
        let at_least = failure.retry_after.map(|requested| requested.min(RETRY_AFTER_LIMIT));
        Some(self.backoff.delay(attempt, at_least, random))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 5,
        backoff: Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(30) },
    };

    proptest! {
        #[test]
        fn retry_after_is_honoured_up_to_a_minute(
            attempt in 1u32..5, requested in prop::option::of(0u64..100_000), seed: u64,
        ) {
            let failure = Failure { retry_after: requested.map(Duration::from_secs), ..Failure::unavailable("503") };
            let delay = POLICY.delay(attempt, &failure, &mut SmallRng::seed_from_u64(seed)).unwrap();
            let requested = Duration::from_secs(requested.unwrap_or(0)).min(RETRY_AFTER_LIMIT);
            prop_assert!(delay >= requested && delay <= requested.max(POLICY.backoff.ceiling(attempt)));
        }
    }

    #[test]
    fn the_last_attempt_and_a_rejection_are_not_retried() {
        let mut random = SmallRng::seed_from_u64(1);
        assert!(POLICY.delay(4, &Failure::unavailable("503"), &mut random).is_some());
        assert!(POLICY.delay(5, &Failure::unavailable("503"), &mut random).is_none());
        assert!(POLICY.delay(1, &Failure::refused("404"), &mut random).is_none());
    }
}
