//! A rate limit by the generic cell rate algorithm (ITU-T I.371): a token bucket whose whole state is one instant. Pure:
//! the caller passes the time, and waits.

use std::time::{Duration, Instant};

/// The rate limit of one destination's attempts.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// The time between two attempts at full rate.
    interval: Duration,
    /// How far attempts may run ahead of the rate.
    tolerance: Duration,
    /// When the bucket is full again: the theoretical arrival time of the next attempt.
    full_at: Option<Instant>,
}

impl RateLimit {
    /// A limit of `per_second` in the long run, and `burst` (at least 1) at once.
    pub(crate) fn new(per_second: f64, burst: u32) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second);
        Self { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)), full_at: None }
    }

    /// Reserves the next attempt, and returns the delay before it.
    pub(crate) fn reserve(&mut self, now: Instant) -> Duration {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(full_at + self.interval);
        full_at.saturating_duration_since(now).saturating_sub(self.tolerance)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_has_no_delay_and_the_rest_follows_at_the_rate() {
        let now = Instant::now();
        let mut limit = RateLimit::new(10.0, 3);
        let delays: Vec<_> = (0..5).map(|_| limit.reserve(now).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 100, 200]);
        assert_eq!(limit.reserve(now + Duration::from_secs(10)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn no_window_has_more_attempts_than_burst_and_rate_allow(
            arrivals in prop::collection::vec(0u64..300, 1..200), per_second in 1u32..50, burst in 1u32..10,
        ) {
            let start = Instant::now();
            let mut limit = RateLimit::new(f64::from(per_second), burst);
            let mut now = start;
            let attempts: Vec<f64> = arrivals.iter().map(|wait| {
                now += Duration::from_millis(*wait);
                (now + limit.reserve(now)).duration_since(start).as_secs_f64()
            }).collect();
            prop_assert!(attempts.is_sorted());
            for (first, begin) in attempts.iter().enumerate() {
                for (last, end) in attempts.iter().enumerate().skip(first) {
                    let count = f64::from(u32::try_from(last - first).unwrap()) + 1.0;
                    let allowed = f64::from(burst) + (end - begin) * f64::from(per_second);
                    prop_assert!(count <= allowed + 1e-3, "{count} attempts in {} s, {allowed} allowed", end - begin);
                }
            }
        }
    }
}
