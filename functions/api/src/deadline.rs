//! Deadlines of an invocation.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Upper bound of the time reserved for sending the response.
const MARGIN_LIMIT: Duration = Duration::from_secs(1);

/// The two deadlines before the function's time-out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// The edge's deadline for Kafka.
    pub(crate) edge: Instant,
    /// The function's deadline for the edge.
    pub(crate) function: Instant,
}

impl Deadline {
    /// The deadlines before `time_out`, when Lambda ends the invocation. The margin is a fifth of the remaining time, at
    /// most a second; half of it is for a part of the edge that does not observe its deadline.
    pub(crate) fn before(time_out: SystemTime) -> Self {
        let left = time_out.duration_since(SystemTime::now()).unwrap_or_default();
        let margin = MARGIN_LIMIT.min(left / 5);
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

    /// However short it is.
    #[test]
    fn both_deadlines_are_before_the_time_out() {
        for seconds in [1, 3, 20, 900] {
            let time_out = Duration::from_secs(seconds);
            let (edge, function) = left(time_out);
            assert!(edge < function && function < time_out, "{seconds} s: {edge:?} {function:?}");
            assert!(edge >= time_out / 2, "{seconds} s leave {edge:?} for the work");
        }
    }

    #[test]
    fn after_the_time_out_no_time_is_left() {
        let deadline = Deadline::before(SystemTime::UNIX_EPOCH);
        assert!(deadline.function <= Instant::now());
    }
}
