//! Exponential back-off with full jitter.

use std::time::Duration;

use rand::{Rng, RngExt};

/// Delays between attempts: uniformly random from zero to a ceiling that doubles with every attempt.
///
/// Full jitter spreads the retries of many clients that failed together (Brooker, "Exponential Backoff And Jitter",
/// AWS Architecture Blog, 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling after the first failed attempt.
    pub base: Duration,
    /// The maximum of the ceiling.
    pub cap: Duration,
}

impl Backoff {
    /// The highest delay after `attempt` failed attempts, counted from 1.
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// The delay after `attempt` failed attempts (from 1), at least `at_least`: a server's Retry-After.
    pub fn delay(&self, attempt: u32, at_least: Option<Duration>, random: &mut impl Rng) -> Duration {
        let ceiling = self.ceiling(attempt);
        let jittered = ceiling.mul_f64(random.random::<f64>());
        at_least.map_or(jittered, |least| jittered.max(least))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    proptest! {
        #[test]
        fn a_delay_is_between_retry_after_and_the_ceiling(
            seed: u64, attempt in 0u32..200, base in 1u64..10_000, cap in 1u64..600_000, least in proptest::option::of(0u64..100_000),
        ) {
            let backoff = Backoff { base: Duration::from_millis(base), cap: Duration::from_millis(cap) };
            let least = least.map(Duration::from_millis);
            let delay = backoff.delay(attempt, least, &mut SmallRng::seed_from_u64(seed));
            prop_assert!(delay <= backoff.ceiling(attempt).max(least.unwrap_or_default()));
            prop_assert!(delay >= least.unwrap_or_default());
            prop_assert!(backoff.ceiling(attempt) <= backoff.cap);
            prop_assert!(backoff.ceiling(attempt) <= backoff.ceiling(attempt + 1));
        }
    }

    #[test]
    fn the_jitter_is_full() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_mins(1) };
        let mut random = SmallRng::seed_from_u64(7);
        let delays: Vec<_> = (0..1_000).map(|_| backoff.delay(1, None, &mut random)).collect();
        let below = |share: f64| delays.iter().filter(|delay| delay.as_secs_f64() < share).count();
        assert!((400..600).contains(&below(0.5)), "half of the delays are in the lower half");
        assert!(below(0.1) > 50 && below(0.9) < 950);
    }
}
