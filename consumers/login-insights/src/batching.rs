//! When a batch closes: at 100 logins, or at its age.

use std::time::Duration;

use millrace_domain::insight::FULL_BATCH;

/// How many of the `ready` logins, oldest first, are in batches that close now. The oldest has waited for `age`; a batch
/// that is not full closes after `batch_age`.
pub(crate) fn batch_size(ready: usize, age: Duration, batch_age: Duration) -> usize {
    let in_full_batches = ready - ready % FULL_BATCH;
    // `age` is of the oldest login: without the full batches, the rest is younger.
    if in_full_batches == 0 && age >= batch_age { ready } else { in_full_batches }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(10);

    #[test]
    fn full_batches_close_at_once_and_the_rest_at_its_age() {
        for (ready, age, closed) in [
            (0, Duration::ZERO, 0),
            (99, AGE * 99 / 100, 0),
            (99, AGE, 99),
            (100, Duration::ZERO, 100),
            (250, Duration::ZERO, 200),
            (250, AGE, 200),
        ] {
            assert_eq!(batch_size(ready, age, AGE), closed, "{ready} ready, the oldest for {age:?}");
        }
    }

    #[test]
    fn with_a_zero_age_every_login_closes_its_batch() {
        assert_eq!(batch_size(1, Duration::ZERO, Duration::ZERO), 1);
        assert_eq!(batch_size(0, Duration::ZERO, Duration::ZERO), 0);
    }
}
