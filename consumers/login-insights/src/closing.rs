//! When a batch is closed: at a hundred logins, or when they have waited for long enough.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_domain::insight::FULL_BATCH;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Closing {
    age: Duration,
    /// Since when some login or other has been left waiting.
    ///
    /// Kept across transactions, and cleared only when nothing is left. Which logins are left is not ours to say: were
    /// each transaction to begin anew, those of a quiet partition could wait behind a busy one for ever.
    waiting_since: Mutex<Option<Instant>>,
}

impl Closing {
    /// Batches that are not full are closed after `age`.
    pub(crate) fn after(age: Duration) -> Self {
        Self { age, waiting_since: Mutex::default() }
    }

    /// How many of the `ready` logins are in batches that close now.
    pub(crate) fn cut(&self, ready: usize, now: Instant) -> usize {
        let mut waiting_since = self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner);
        let in_full_batches = ready - ready % FULL_BATCH;
        if in_full_batches < ready {
            let since = *waiting_since.get_or_insert(now);
            if now.saturating_duration_since(since) < self.age {
                return in_full_batches;
            }
        }
        *waiting_since = None;
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(10);

    #[test]
    fn full_batches_close_at_once_and_the_rest_at_its_age() {
        let (closing, start) = (Closing::after(AGE), Instant::now());
        assert_eq!(closing.cut(99, start), 0);
        assert_eq!(closing.cut(250, start + AGE / 2), 200);
        assert_eq!(closing.cut(50, start + AGE * 9 / 10), 0);
        assert_eq!(closing.cut(51, start + AGE), 51);
        assert_eq!(closing.cut(7, start + AGE), 0, "what comes later waits as long");
    }

    #[test]
    fn logins_that_fill_their_batch_leave_no_age_behind() {
        let (closing, start) = (Closing::after(AGE), Instant::now());
        assert_eq!(closing.cut(60, start), 0);
        assert_eq!(closing.cut(100, start + AGE / 2), 100);
        assert_eq!(closing.cut(60, start + AGE), 0);
        assert_eq!(closing.cut(60, start + 2 * AGE), 60);
    }

    #[test]
    fn what_is_left_of_every_transaction_does_not_wait_for_ever() {
        let (closing, start) = (Closing::after(AGE), Instant::now());
        let cuts: Vec<_> = (0..=10).map(|second| closing.cut(150, start + Duration::from_secs(second))).collect();
        assert_eq!(cuts[..10], [100; 10]);
        assert_eq!(cuts[10], 150);
    }

    #[test]
    fn without_an_age_every_login_goes_at_once() {
        let closing = Closing::after(Duration::ZERO);
        assert_eq!(closing.cut(1, Instant::now()), 1);
        assert_eq!(closing.cut(0, Instant::now()), 0);
    }
}
