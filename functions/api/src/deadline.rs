//! When an invocation must end.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What an answer needs on its way out, at most.
const MARGIN: Duration = Duration::from_secs(1);

/// The two moments before the function's time-out by which an answer is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// When the edge gives up waiting for Kafka.
    pub(crate) edge: Instant,
    /// When the function gives up waiting for the edge.
    pub(crate) function: Instant,
}

impl Deadline {
    /// `time_out` is when Lambda ends the invocation by force. A fifth of what is left until then is kept back, and at
    /// most a second; half of it is for a part of the edge that does not look at its deadline.
    pub(crate) fn before(time_out: SystemTime) -> Self {
        let left = time_out.duration_since(SystemTime::now()).unwrap_or_default();
        let margin = MARGIN.min(left / 5);
        let now = Instant::now();
        Self { edge: now + left - margin, function: now + left - margin / 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(time_out: Duration) -> (Duration, Duration) {
        let deadline = Deadline::before(SystemTime::now() + time_out);
        let now = Instant::now();
        (deadline.edge.saturating_duration_since(now), deadline.function.saturating_duration_since(now))
    }

    #[test]
    fn an_answer_is_given_before_the_time_out_however_short_it_is() {
        for seconds in [1, 3, 20, 900] {
            let time_out = Duration::from_secs(seconds);
            let (edge, function) = left(time_out);
            assert!(edge < function && function < time_out, "{seconds} s: {edge:?} {function:?}");
            assert!(edge >= time_out / 2, "{seconds} s leave {edge:?} for the work");
        }
    }

    #[test]
    fn a_time_out_that_has_passed_leaves_no_time() {
        let deadline = Deadline::before(SystemTime::UNIX_EPOCH);
        assert!(deadline.function <= Instant::now());
    }
}
