//! A circuit breaker: a destination that keeps failing gets no attempts for a cool-down.
//!
//! Closed, it counts failures in a row; enough of them open it. After the cool-down one attempt may probe: a success
//! closes it, a failure opens it again. Pure: the caller passes the time.

use std::time::{Duration, Instant};

/// The state of one destination's circuit breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    threshold: u32,
    cool_down: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// A probe is in flight. One without a result expires at `until`.
    Probing {
        until: Instant,
    },
}

impl Breaker {
    /// A closed breaker that `threshold` failures in a row open for `cool_down`.
    pub(crate) fn new(threshold: u32, cool_down: Duration) -> Self {
        Self { threshold, cool_down, state: State::Closed { failures: 0 } }
    }

    /// Whether an attempt is admitted now. The first one after the cool-down is the probe.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } | State::Probing { until } if now < until => false,
            State::Open { .. } | State::Probing { .. } => {
                self.state = State::Probing { until: now + self.cool_down };
                true
            }
        }
    }

    /// Whether an attempt would be rejected now.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.remaining(now) > Duration::ZERO
    }

    /// How long attempts are rejected from now on; zero where one is admitted.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        match self.state {
            State::Closed { .. } => Duration::ZERO,
            State::Open { until } | State::Probing { until } => until.saturating_duration_since(now),
        }
    }

    /// An attempt succeeded.
    pub(crate) fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// An attempt failed. True where that opened the breaker.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        let failures = match self.state {
            State::Closed { failures } => failures + 1,
            State::Probing { .. } => self.threshold,
            // Started before the breaker opened: already counted.
            State::Open { .. } => return false,
        };
        let opens = failures >= self.threshold;
        self.state = if opens { State::Open { until: now + self.cool_down } } else { State::Closed { failures } };
        opens
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(5);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(3, COOL_DOWN);
        assert!(!breaker.failed(now) && !breaker.failed(now) && breaker.failed(now));
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3, COOL_DOWN);
        breaker.failed(now);
        breaker.failed(now);
        breaker.succeeded();
        assert!(!breaker.failed(now) && !breaker.failed(now) && breaker.admit(now));
        assert!(breaker.failed(now) && !breaker.admit(now) && breaker.is_open(now));
    }

    #[test]
    fn after_the_cool_down_one_probe_decides() {
        let now = Instant::now();
        let later = now + COOL_DOWN;

        let mut breaker = opened(now);
        assert!(!breaker.is_open(later));
        assert!(breaker.admit(later) && !breaker.admit(later), "one probe at a time");
        breaker.succeeded();
        assert!(breaker.admit(later) && breaker.admit(later));

        let mut breaker = opened(now);
        assert!(breaker.admit(later) && breaker.failed(later));
        assert!(!breaker.admit(later + COOL_DOWN / 2) && breaker.admit(later + COOL_DOWN));
    }

    #[test]
    fn a_probe_without_a_result_expires() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(breaker.admit(now + COOL_DOWN));
        assert!(breaker.admit(now + COOL_DOWN * 2));
    }

    proptest! {
        #[test]
        fn it_rejects_only_within_a_cool_down_of_a_failure_or_probe(
            steps in prop::collection::vec((0u8..3, 0u64..4_000), 1..200), threshold in 1u32..5,
        ) {
            let mut now = Instant::now();
            let mut breaker = Breaker::new(threshold, COOL_DOWN);
            let mut run = 0;
            let mut last_cause = None;
            for (step, wait) in steps {
                now += Duration::from_millis(wait);
                match step {
                    0 => { breaker.succeeded(); run = 0; last_cause = None; }
                    1 => { run += 1; if breaker.failed(now) { prop_assert!(run >= threshold); last_cause = Some(now); } }
                    _ => {
                        let was_open = breaker.is_open(now);
                        let admitted = breaker.admit(now);
                        prop_assert_eq!(admitted, !was_open);
                        let cooling = last_cause.is_some_and(|cause| now < cause + COOL_DOWN);
                        prop_assert_eq!(was_open, cooling);
                        prop_assert!(!breaker.is_open(now + breaker.remaining(now)));
                        if admitted && last_cause.is_some() { last_cause = Some(now); }
                    }
                }
            }
        }
    }
}
