//! Rate limit of a replay.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// Maximum dead letters of a batch.
const BATCH_LIMIT: usize = 100;

/// At a limited rate, a batch holds the dead letters of a fifth of a second.
const BATCHES_A_SECOND: usize = 5;

/// Spaces batches so that at most `rate` dead letters are replayed a second.
#[derive(Debug)]
pub(super) struct RateLimit {
    rate: Option<NonZeroU32>,
    next: Instant,
}

impl RateLimit {
    /// A limit of `rate` dead letters a second; `None` is unlimited.
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        Self { rate, next: Instant::now() }
    }

    /// How many dead letters a batch may hold.
    pub(super) fn batch(&self) -> usize {
        let due = |rate: NonZeroU32| usize::try_from(rate.get()).unwrap_or(usize::MAX) / BATCHES_A_SECOND;
        self.rate.map_or(BATCH_LIMIT, |rate| due(rate).clamp(1, BATCH_LIMIT))
    }

    /// When the next batch, of `dead_letters`, may be written.
    pub(super) fn reserve(&mut self, dead_letters: usize) -> Instant {
        let due = self.next.max(Instant::now());
        let share =
            |rate: NonZeroU32| Duration::from_secs(1) * u32::try_from(dead_letters).unwrap_or(u32::MAX) / rate.get();
        self.next = due + self.rate.map_or(Duration::ZERO, share);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ten_a_second_take_a_tenth_of_a_second_each() {
        let mut rate_limit = RateLimit::new(NonZeroU32::new(10));
        assert_eq!(rate_limit.batch(), 2);
        let first = rate_limit.reserve(2);
        assert_eq!(rate_limit.reserve(2) - first, Duration::from_millis(200));
        assert_eq!(rate_limit.reserve(1) - first, Duration::from_millis(400));
        assert_eq!(rate_limit.reserve(1) - first, Duration::from_millis(500));
    }

    #[test]
    fn batches_hold_between_1_and_100_dead_letters() {
        for (rate, batch) in [(Some(1), 1), (Some(50), 10), (Some(1_000_000), 100), (None, 100)] {
            assert_eq!(RateLimit::new(rate.and_then(NonZeroU32::new)).batch(), batch, "{rate:?}");
        }
    }
}
