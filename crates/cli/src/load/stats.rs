//! Counts and latencies of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::response::{Failure, ResponseResult};

/// The longest latency told apart from longer ones: an hour, in microseconds.
const LONGEST: u64 = 3_600_000_000;

/// Latencies are kept to three significant digits.
const DIGITS: u8 = 3;

/// How many events failed in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) events: u64,
    /// Why the first that came with a reason failed.
    pub(super) reason: Option<String>,
}

/// What a run has seen so far.
#[derive(Clone, Debug)]
pub(super) struct Stats {
    accepted: u64,
    failures: BTreeMap<Failure, Failed>,
    /// Microseconds, one value a request of which anything was accepted: how soon a refusal or how late a time-out
    /// comes says nothing about how long accepted events take.
    latencies: Histogram<u64>,
}

impl Stats {
    pub(super) fn new() -> Self {
        Self {
            accepted: 0,
            failures: BTreeMap::new(),
            latencies: Histogram::new_with_bounds(1, LONGEST, DIGITS)
                .expect("an hour at three digits is within the histogram's limits"),
        }
    }

    /// Counts one request: what became of its events, and how long after it was due.
    pub(super) fn record(&mut self, latency: Duration, verdict: ResponseResult) {
        if verdict.accepted > 0 {
            self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        }
        self.accepted += verdict.accepted;
        let mut reason = verdict.reason;
        for (failure, events) in verdict.failures {
            let failed = self.failures.entry(failure).or_default();
            failed.events += events;
            if failed.reason.is_none() {
                failed.reason = reason.take();
            }
        }
    }

    /// Events whose outcome is known, failures included.
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

    /// The latency, in milliseconds, that `percent` of the accepted requests stayed within; `None` without any.
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
        let mut tally = Stats::new();
        tally.record(Duration::from_millis(1), accepted(3));
        tally.record(Duration::from_millis(1), ResponseResult::failed(2, Failure::Timeout, None));
        assert_eq!((tally.sent(), tally.accepted(), tally.failed()), (5, 3, 2));
    }

    #[test]
    fn failures_have_no_part_in_the_latencies() {
        let mut tally = Stats::new();
        tally.record(Duration::from_secs(20), ResponseResult::failed(1, Failure::Timeout, None));
        assert_eq!((tally.percentile(50.0), tally.longest()), (None, None));
        tally.record(Duration::from_millis(4), accepted(1));
        tally.record(Duration::from_micros(1), ResponseResult::failed(1, Failure::Status(503), None));
        let mixed = ResponseResult { accepted: 1, ..ResponseResult::failed(1, Failure::Status(422), None) };
        tally.record(Duration::from_millis(6), mixed);
        let told = [tally.percentile(50.0), tally.percentile(99.0), tally.longest()];
        assert_eq!(told.map(|latency| format!("{:.0}", latency.expect("two were accepted"))), ["4", "6", "6"]);
    }

    #[test]
    fn the_first_reason_of_a_failure_is_kept() {
        let mut tally = Stats::new();
        for reason in [None, Some("first".to_owned()), Some("second".to_owned())] {
            tally.record(Duration::ZERO, ResponseResult::failed(1, Failure::Status(422), reason));
        }
        let failed = &tally.failures()[&Failure::Status(422)];
        assert_eq!((failed.events, failed.reason.as_deref()), (3, Some("first")));
    }

    #[test]
    fn percentiles_are_of_requests_and_in_milliseconds() {
        let mut tally = Stats::new();
        assert_eq!(tally.percentile(50.0), None);
        for milliseconds in 1..=100 {
            tally.record(Duration::from_millis(milliseconds), accepted(10));
        }
        let median = tally.percentile(50.0).expect("there are requests");
        assert!((49.9..50.2).contains(&median), "{median}");
        let longest = tally.longest().expect("there are requests");
        assert!((99.9..100.2).contains(&longest), "{longest}");
    }
}
