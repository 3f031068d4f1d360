//! How many letters go back in a second.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// The largest batch.
const BATCH: usize = 100;

/// At a limited rate a batch holds what is due in this time.
const BATCHES_A_SECOND: usize = 5;

/// Spreads batches over time, so that no more than so many letters a second go back.
#[derive(Debug)]
pub(super) struct RateLimit {
    rate: Option<NonZeroU32>,
    next: Instant,
}

impl RateLimit {
    /// So many letters a second; `None` is as fast as it goes.
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        Self { rate, next: Instant::now() }
    }

    /// How many letters a batch may hold.
    pub(super) fn batch(&self) -> usize {
        let due = |rate: NonZeroU32| usize::try_from(rate.get()).unwrap_or(usize::MAX) / BATCHES_A_SECOND;
        self.rate.map_or(BATCH, |rate| due(rate).clamp(1, BATCH))
    }

    /// When the next batch may go; it will hold so many `letters`.
    pub(super) fn reserve(&mut self, letters: usize) -> Instant {
        let due = self.next.max(Instant::now());
        let share = |rate: NonZeroU32| Duration::from_secs(1) * u32::try_from(letters).unwrap_or(u32::MAX) / rate.get();
        self.next = due + self.rate.map_or(Duration::ZERO, share);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ten_a_second_take_a_tenth_of_a_second_each() {
        let mut pace = RateLimit::new(NonZeroU32::new(10));
        assert_eq!(pace.batch(), 2);
        let first = pace.reserve(2);
        assert_eq!(pace.reserve(2) - first, Duration::from_millis(200));
        assert_eq!(pace.reserve(1) - first, Duration::from_millis(400));
        assert_eq!(pace.reserve(1) - first, Duration::from_millis(500));
    }

    #[test]
    fn batches_hold_at_least_one_letter_and_never_many() {
        for (rate, batch) in [(Some(1), 1), (Some(50), 10), (Some(1_000_000), 100), (None, 100)] {
            assert_eq!(RateLimit::new(rate.and_then(NonZeroU32::new)).batch(), batch, "{rate:?}");
        }
    }
}
