//! The report of a run, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use indicatif::HumanCount;
use serde::Serialize;

use super::response::Failure;
use super::stats::Stats;

/// The outcome of a run; its JSON is the file of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Events sent, or due and not sent in time.
    sent: u64,
    accepted: u64,
    failures: BTreeMap<Failure, u64>,
    /// Accepted events a second, from the start to the last response.
    rate: f64,
    latency_ms: Latency,
    #[serde(skip)]
    reasons: BTreeMap<Failure, String>,
    #[serde(skip)]
    elapsed: Duration,
}

/// Latencies of accepted requests in milliseconds, from when a request was due to the end of its response. Null when
/// none was accepted.
#[derive(Debug, Serialize)]
struct Latency {
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    #[serde(rename = "p99.9")]
    p99_9: Option<f64>,
    max: Option<f64>,
}

impl Report {
    /// The report of a run that took `elapsed`.
    #[allow(clippy::cast_precision_loss)] // a rate of 2^53 events is out of reach
    pub(super) fn new(stats: &Stats, elapsed: Duration) -> Self {
        let failures = stats.failures();
        Self {
            sent: stats.sent(),
            accepted: stats.accepted(),
            failures: failures.iter().map(|(failure, failed)| (*failure, failed.events)).collect(),
            rate: if elapsed.is_zero() { 0.0 } else { stats.accepted() as f64 / elapsed.as_secs_f64() },
            latency_ms: Latency {
                p50: stats.percentile(50.0),
                p90: stats.percentile(90.0),
                p99: stats.percentile(99.0),
                p99_9: stats.percentile(99.9),
                max: stats.longest(),
            },
            reasons: failures.iter().filter_map(|(failure, failed)| Some((*failure, failed.reason.clone()?))).collect(),
            elapsed,
        }
    }

    /// Whether every event was accepted.
    pub(super) fn is_success(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u64 = self.failures.values().sum();
        writeln!(f, "sent      {} in {:.1} s", HumanCount(self.sent), self.elapsed.as_secs_f64())?;
        writeln!(f, "accepted  {}", HumanCount(self.accepted))?;
        writeln!(f, "failed    {}", HumanCount(failed))?;
        for (failure, events) in &self.failures {
            write!(f, "  {failure}: {}", HumanCount(*events))?;
            match self.reasons.get(failure) {
                Some(reason) => writeln!(f, " ({reason})")?,
                None => writeln!(f)?,
            }
        }
        writeln!(f, "rate      {:.1} accepted/s", self.rate)?;
        write!(f, "latency   {}", self.latency_ms)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values =
            [("p50", self.p50), ("p90", self.p90), ("p99", self.p99), ("p99.9", self.p99_9), ("max", self.max)];
        let mut separator = "";
        for (name, value) in values {
            match value {
                Some(milliseconds) => write!(f, "{separator}{name} {milliseconds:.2} ms")?,
                None => write!(f, "{separator}{name} –")?,
            }
            separator = "  ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::response::ResponseResult;
    use super::*;
    use serde_json::json;

    fn stats(accepted: u64) -> Stats {
        let mut stats = Stats::new();
        let outcome = ResponseResult { accepted, ..ResponseResult::default() };
        stats.record(Duration::from_millis(4), outcome);
        stats
    }

    #[test]
    fn the_json_has_the_members_that_programs_read() {
        let mut stats = stats(1_500);
        for failure in [Failure::Status(503), Failure::Connection, Failure::Timeout, Failure::Unanswered] {
            stats.record(Duration::from_millis(4), ResponseResult::failed(5, failure, None));
        }
        let report = Report::new(&stats, Duration::from_secs(2));
        assert_eq!(
            serde_json::to_value(&report).expect("a report is JSON"),
            json!({
                "sent": 1_520,
                "accepted": 1_500,
                "failures": {"503": 5, "connection": 5, "timeout": 5, "unanswered": 5},
                "rate": 750.0,
                "latency_ms": {"p50": 4.001, "p90": 4.001, "p99": 4.001, "p99.9": 4.001, "max": 4.001},
            })
        );
        assert!(!report.is_success());
    }

    #[test]
    fn a_run_without_failures_is_a_success() {
        let report = Report::new(&stats(10), Duration::from_secs(1));
        assert!(report.is_success());
        assert_eq!(serde_json::to_value(&report).expect("a report is JSON")["failures"], json!({}));
    }

    #[test]
    fn the_text_lists_each_failure_with_its_reason() {
        let mut stats = stats(20_000);
        let refused = ResponseResult::failed(3, Failure::Status(422), Some("user_id is missing".into()));
        stats.record(Duration::from_millis(4), refused);
        let text = Report::new(&stats, Duration::from_secs(10)).to_string();
        assert!(text.contains("sent      20,003 in 10.0 s"), "{text}");
        assert!(text.contains("  422: 3 (user_id is missing)"), "{text}");
        assert!(text.contains("rate      2000.0 accepted/s"), "{text}");
        assert!(text.contains("p99.9 4.00 ms"), "{text}");
    }

    #[test]
    fn a_run_that_sent_nothing_has_no_latencies() {
        let report = Report::new(&Stats::new(), Duration::ZERO);
        let json = serde_json::to_value(&report).expect("a report is JSON");
        assert_eq!(json["latency_ms"]["p50"], json!(null));
        assert_eq!(json["rate"], json!(0.0));
    }
}
