//! A rate cap, as the generic cell rate algorithm keeps it (ITU-T I.371): a token bucket that is a single moment.
//! Pure: the caller says what time it is, and does the waiting.

use std::time::{Duration, Instant};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct RateCap {
    /// From one delivery to the next at full rate.
    interval: Duration,
    /// How far deliveries may run ahead of the rate.
    tolerance: Duration,
    /// When the bucket is full again.
    full_at: Option<Instant>,
}

impl RateCap {
    /// At most `per_second` in the long run, and `burst` (at least 1) at once.
    pub(crate) fn new(per_second: f64, burst: u32) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second);
        Self { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)), full_at: None }
    }

    /// Books the next turn and says how long it is until then.
    pub(crate) fn book(&mut self, now: Instant) -> Duration {
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
    fn a_burst_goes_at_once_and_what_follows_at_the_rate() {
        let now = Instant::now();
        let mut cap = RateCap::new(10.0, 3);
        let waits: Vec<_> = (0..5).map(|_| cap.book(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        assert_eq!(cap.book(now + Duration::from_secs(10)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn no_window_holds_more_turns_than_the_burst_and_the_rate_allow(
            arrivals in prop::collection::vec(0u64..300, 1..200), per_second in 1u32..50, burst in 1u32..10,
        ) {
            let start = Instant::now();
            let mut cap = RateCap::new(f64::from(per_second), burst);
            let mut now = start;
            let turns: Vec<f64> = arrivals.iter().map(|wait| {
                now += Duration::from_millis(*wait);
                (now + cap.book(now)).duration_since(start).as_secs_f64()
            }).collect();
            prop_assert!(turns.is_sorted());
            for (first, begin) in turns.iter().enumerate() {
                for (last, end) in turns.iter().enumerate().skip(first) {
                    let count = f64::from(u32::try_from(last - first).unwrap()) + 1.0;
                    let allowed = f64::from(burst) + (end - begin) * f64::from(per_second);
                    prop_assert!(count <= allowed + 1e-3, "{count} turns in {} s, {allowed} allowed", end - begin);
                }
            }
        }
    }
}
