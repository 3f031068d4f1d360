//! Whether a failed attempt is followed by another one, and when. Pure.

use std::time::Duration;

use millrace_domain::Backoff;
use rand::Rng;

use crate::failure::Failure;

/// The longest `Retry-After` that is honoured; one that asks for more gets this.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// How often a delivery is tried, and how long it waits between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// Attempts in all.
    pub(crate) attempts: u32,
    /// Delays between them.
    pub(crate) backoff: Backoff,
}

impl RetryPolicy {
    /// The delay before the next attempt after `attempt` of them (counted from 1) have failed; `None` ends it.
    pub(crate) fn delay(&self, attempt: u32, failure: &Failure, random: &mut impl Rng) -> Option<Duration> {
        if !failure.is_transient() || attempt >= self.attempts {
            return None;
        }
        let at_least = failure.retry_after.map(|asked| asked.min(LONGEST_RETRY_AFTER));
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
        fn what_was_asked_for_is_waited_for_and_not_more_than_a_minute(
            attempt in 1u32..5, asked in prop::option::of(0u64..100_000), seed: u64,
        ) {
            let failure = Failure { retry_after: asked.map(Duration::from_secs), ..Failure::unavailable("503") };
            let delay = POLICY.delay(attempt, &failure, &mut SmallRng::seed_from_u64(seed)).unwrap();
            let asked = Duration::from_secs(asked.unwrap_or(0)).min(LONGEST_RETRY_AFTER);
            prop_assert!(delay >= asked && delay <= asked.max(POLICY.backoff.ceiling(attempt)));
        }
    }

    #[test]
    fn the_last_attempt_and_a_refusal_end_it() {
        let mut random = SmallRng::seed_from_u64(1);
        assert!(POLICY.delay(4, &Failure::unavailable("503"), &mut random).is_some());
        assert!(POLICY.delay(5, &Failure::unavailable("503"), &mut random).is_none());
        assert!(POLICY.delay(1, &Failure::refused("404"), &mut random).is_none());
    }
}
