//! Counts and latencies of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::response::{Failure, ResponseResult};

/// Largest latency of the histogram: an hour, in microseconds. Longer ones are recorded as this.
const LATENCY_LIMIT_MICROS: u64 = 3_600_000_000;

/// Significant digits of recorded latencies.
const DIGITS: u8 = 3;

/// Events that failed in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) events: u64,
    /// The first reason given.
    pub(super) reason: Option<String>,
}

/// Counts and latencies so far.
#[derive(Clone, Debug)]
pub(super) struct Stats {
    accepted: u64,
    failures: BTreeMap<Failure, Failed>,
    /// Microseconds, one value for each request with accepted events: how fast a rejection or how late a time-out is
    /// says nothing about the latency of accepted events.
    latencies: Histogram<u64>,
}

impl Stats {
    pub(super) fn new() -> Self {
        Self {
            accepted: 0,
            failures: BTreeMap::new(),
            latencies: Histogram::new_with_bounds(1, LATENCY_LIMIT_MICROS, DIGITS)
                .expect("an hour at three digits is within the histogram's limits"),
        }
    }

    /// Records the outcome of one request and its latency since it was due.
    pub(super) fn record(&mut self, latency: Duration, outcome: ResponseResult) {
        if outcome.accepted > 0 {
            self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        }
        self.accepted += outcome.accepted;
        let mut reason = outcome.reason;
        for (failure, events) in outcome.failures {
            let failed = self.failures.entry(failure).or_default();
            failed.events += events;
            if failed.reason.is_none() {
                failed.reason = reason.take();
            }
        }
    }

    /// Events with a known outcome, including failures.
    pub(super) fn sent(&self) -> u64 {
        self.accepted + self.failed()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn failed(&self) -> u64 {
        self.failures.values().map(|failed| failed.events).sum()
    }

    pub(super) fn failures(&self) -> &BTreeMap<Failure, Failed> {
        &self.failures
    }

    /// Percentile of the latency of accepted requests in milliseconds; `None` without any.
    pub(super) fn percentile(&self, percent: f64) -> Option<f64> {
        let micros = self.latencies.value_at_percentile(percent);
        (!self.latencies.is_empty()).then(|| millis(micros))
    }

    /// The longest latency of an accepted request in milliseconds; `None` without any.
    pub(super) fn longest(&self) -> Option<f64> {
        (!self.latencies.is_empty()).then(|| millis(self.latencies.max()))
    }
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).div_duration_f64(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(events: u64) -> ResponseResult {
        ResponseResult { accepted: events, ..ResponseResult::default() }
    }

    #[test]
    fn sent_counts_failures_too() {
        let mut stats = Stats::new();
        stats.record(Duration::from_millis(1), accepted(3));
        stats.record(Duration::from_millis(1), ResponseResult::failed(2, Failure::Timeout, None));
        assert_eq!((stats.sent(), stats.accepted(), stats.failed()), (5, 3, 2));
    }

    #[test]
    fn latencies_exclude_failures() {
        let mut stats = Stats::new();
        stats.record(Duration::from_secs(20), ResponseResult::failed(1, Failure::Timeout, None));
        assert_eq!((stats.percentile(50.0), stats.longest()), (None, None));
        stats.record(Duration::from_millis(4), accepted(1));
        stats.record(Duration::from_micros(1), ResponseResult::failed(1, Failure::Status(503), None));
        let mixed = ResponseResult { accepted: 1, ..ResponseResult::failed(1, Failure::Status(422), None) };
        stats.record(Duration::from_millis(6), mixed);
        let latencies = [stats.percentile(50.0), stats.percentile(99.0), stats.longest()];
        assert_eq!(latencies.map(|latency| format!("{:.0}", latency.expect("two were accepted"))), ["4", "6", "6"]);
    }

    #[test]
    fn the_first_reason_of_a_failure_is_kept() {
        let mut stats = Stats::new();
        for reason in [None, Some("first".to_owned()), Some("second".to_owned())] {
            stats.record(Duration::ZERO, ResponseResult::failed(1, Failure::Status(422), reason));
        }
        let failed = &stats.failures()[&Failure::Status(422)];
        assert_eq!((failed.events, failed.reason.as_deref()), (3, Some("first")));
    }

    #[test]
    fn percentiles_are_of_requests_and_in_milliseconds() {
        let mut stats = Stats::new();
        assert_eq!(stats.percentile(50.0), None);
        for milliseconds in 1..=100 {
            stats.record(Duration::from_millis(milliseconds), accepted(10));
        }
        let median = stats.percentile(50.0).expect("there are requests");
        assert!((49.9..50.2).contains(&median), "{median}");
        let longest = stats.longest().expect("there are requests");
        assert!((99.9..100.2).contains(&longest), "{longest}");
    }
}
