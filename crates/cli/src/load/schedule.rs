//! The open loop's schedule: due time and number of requests.
//!
//! Request `i` is due `i * batch / rate` seconds after the start, whatever the outcome of the requests before it. A
//! schedule that waits for responses would leave out exactly the requests that a slow server delays (coordinated
//! omission), and understate the percentiles.

use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

const NANOS_A_SECOND: u128 = 1_000_000_000;

/// Rate and limits of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Events a second; `None` sends as fast as responses arrive (closed loop).
    rate: Option<NonZeroU32>,
    batch: NonZeroU32,
    /// Number of events of the run, if known in advance.
    events: Option<u64>,
    duration: Option<Duration>,
}

impl Schedule {
    /// A schedule of `rate` events a second (0: closed loop) in requests of `batch` events, which
    /// ends with `count` events or after `duration`, whichever comes first.
    pub(super) fn new(rate: u32, batch: NonZeroU32, count: Option<u64>, duration: Option<Duration>) -> Self {
        let rate = NonZeroU32::new(rate);
        let within_duration = rate.zip(duration).map(|(rate, duration)| {
            let events = (u128::from(rate.get()) * duration.as_nanos()).div_ceil(NANOS_A_SECOND);
            u64::try_from(events).unwrap_or(u64::MAX)
        });
        Self { rate, batch, events: count.into_iter().chain(within_duration).min(), duration }
    }

    /// Number of events of the run, if known in advance: not for a closed loop bounded by time.
    pub(super) fn events(&self) -> Option<u64> {
        self.events
    }

    /// Number of requests of the run, if known in advance.
    pub(super) fn requests(&self) -> Option<u64> {
        self.events.map(|events| events.div_ceil(u64::from(self.batch.get())))
    }

    /// Duration of the run, if it is bounded by time.
    pub(super) fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Whether requests are due at fixed times rather than when a connection is free.
    pub(super) fn is_open_loop(&self) -> bool {
        self.rate.is_some()
    }

    /// The numbers of the events that request `request` carries. The last one may carry fewer.
    pub(super) fn events_of(&self, request: u64) -> Range<u64> {
        let batch = u64::from(self.batch.get());
        let first = request.saturating_mul(batch);
        let end = first.saturating_add(batch);
        first..self.events.map_or(end, |events| end.min(events)).max(first)
    }

    /// When request `request` is due, relative to the start. In a closed loop: zero.
    pub(super) fn due(&self, request: u64) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        let nanos = u128::from(request) * u128::from(self.batch.get()) * NANOS_A_SECOND / u128::from(rate.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many requests are due once `elapsed` has passed since the start.
    pub(super) fn due_by(&self, elapsed: Duration) -> u64 {
        let all = self.requests().unwrap_or(u64::MAX);
        let Some(rate) = self.rate else {
            return all;
        };
        // The last request due is the largest i with i * batch * 1e9 / rate (rounded down) <= elapsed.
        let last =
            ((elapsed.as_nanos() + 1) * u128::from(rate.get()) - 1) / (u128::from(self.batch.get()) * NANOS_A_SECOND);
        all.min(u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: u32, batch: u32, count: Option<u64>, seconds: Option<u64>) -> Schedule {
        let batch = NonZeroU32::new(batch).expect("a batch holds events");
        Schedule::new(rate, batch, count, seconds.map(Duration::from_secs))
    }

    #[test]
    fn requests_are_due_at_a_constant_rate() {
        let schedule = schedule(2_000, 1, None, Some(10));
        assert_eq!(schedule.events(), Some(20_000));
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_micros(500));
        assert_eq!(schedule.due(19_999), Duration::from_micros(9_999_500));
    }

    #[test]
    fn the_rate_counts_events_and_not_requests() {
        let schedule = schedule(1_000, 100, Some(1_000), None);
        assert_eq!(schedule.requests(), Some(10));
        assert_eq!(schedule.due(1), Duration::from_millis(100));
    }

    #[test]
    fn the_last_request_carries_what_is_left_of_the_count() {
        let schedule = schedule(0, 100, Some(250), None);
        assert_eq!(schedule.requests(), Some(3));
        assert_eq!(schedule.events_of(1), 100..200);
        assert_eq!(schedule.events_of(2), 200..250);
        assert!(schedule.events_of(3).is_empty());
    }

    #[test]
    fn the_first_limit_reached_ends_the_run() {
        assert_eq!(schedule(10, 1, Some(5), Some(60)).events(), Some(5));
        assert_eq!(schedule(10, 1, Some(5_000), Some(60)).events(), Some(600));
        assert_eq!(schedule(0, 1, None, Some(60)).events(), None);
    }

    #[test]
    fn a_request_is_not_released_before_its_due_time() {
        for (rate, batch) in [(1, 1), (3, 1), (7, 2), (2_000, 1), (999_999, 64)] {
            let schedule = schedule(rate, batch, None, Some(3_600));
            for request in [0, 1, 2, 3, 10, 97] {
                let due = schedule.due(request);
                assert_eq!(schedule.due_by(due), request + 1, "{rate}/{batch}: {request}");
                if let Some(before) = due.checked_sub(Duration::from_nanos(1)) {
                    assert_eq!(schedule.due_by(before), request);
                }
            }
        }
    }

    #[test]
    fn no_more_requests_are_due_than_the_run_has() {
        let schedule = schedule(1_000, 1, Some(10), None);
        assert_eq!(schedule.due_by(Duration::from_hours(1)), 10);
    }
}
