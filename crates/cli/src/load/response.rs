//! Outcome of the events of one request, as the response reports it.

use std::collections::BTreeMap;
use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer};

use super::connection::HttpResponse;

/// Why events failed. Serialized as text: the status, or a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// HTTP status: the event's own in a batch, else the response's.
    Status(u16),
    /// The connection could not be opened, or failed before the response.
    Connection,
    /// No response within the time-out.
    Timeout,
    /// Due, but without a response when the run ended.
    Unanswered,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Connection => f.write_str("connection"),
            Self::Timeout => f.write_str("timeout"),
            Self::Unanswered => f.write_str("unanswered"),
        }
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Outcome of the events of one request: each accepted or failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ResponseResult {
    pub(super) accepted: u64,
    pub(super) failures: BTreeMap<Failure, u64>,
    /// Reason of the first failure, as the server or the system gives it.
    pub(super) reason: Option<String>,
}

/// The members of a response body that report on events: a batch's results, log lines' count and errors, or a problem.
#[derive(Deserialize)]
struct Body {
    accepted: Option<u64>,
    results: Option<Vec<EventResult>>,
    errors: Option<Vec<EventResult>>,
    detail: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct EventResult {
    /// None in the errors of a problem, which are those of fields.
    #[serde(default)]
    status: String,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    status: Option<u16>,
    title: Option<String>,
    detail: Option<String>,
}

impl ResponseResult {
    /// All `events` failed alike.
    pub(super) fn failed(events: u64, failure: Failure, reason: Option<String>) -> Self {
        Self { accepted: 0, failures: BTreeMap::from([(failure, events)]), reason }
    }

    /// The outcome that the response to a request of `events` events reports.
    pub(super) fn of(response: &HttpResponse, events: u64) -> Self {
        if response.status.is_success() && response.status != StatusCode::MULTI_STATUS {
            return Self { accepted: events, ..Self::default() };
        }
        let whole = Failure::Status(response.status.as_u16());
        let Ok(body) = serde_json::from_slice::<Body>(&response.body) else {
            return Self::failed(events, whole, None);
        };
        let mut outcome = Self { reason: body.detail.or(body.title), ..Self::default() };
        // Of log lines only those that were not accepted are listed.
        let listed = body.results.or_else(|| {
            outcome.accepted = body.accepted.unwrap_or(0).min(events);
            body.errors
        });
        let left = usize::try_from(events - outcome.accepted).unwrap_or(0);
        for result in listed.into_iter().flatten().take(left) {
            outcome.add(result, whole);
        }
        let unreported = events - outcome.events();
        if unreported > 0 {
            *outcome.failures.entry(whole).or_default() += unreported;
        }
        outcome
    }

    /// Number of events.
    pub(super) fn events(&self) -> u64 {
        self.accepted + self.failures.values().sum::<u64>()
    }

    fn add(&mut self, result: EventResult, whole: Failure) {
        if result.status == "accepted" {
            self.accepted += 1;
            return;
        }
        let status = result.error.as_ref().and_then(|problem| problem.status);
        let failure = status.map_or(whole, Failure::Status);
        *self.failures.entry(failure).or_default() += 1;
        if self.reason.is_none() {
            self.reason = result.error.and_then(|problem| problem.detail.or(problem.title));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn outcome(status: u16, body: &str, events: u64) -> ResponseResult {
        let response = HttpResponse {
            status: StatusCode::from_u16(status).expect("a status"),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        ResponseResult::of(&response, events)
    }

    #[test]
    fn success_accepts_all_events() {
        for status in [200, 202] {
            assert_eq!(outcome(status, "{}", 3).accepted, 3);
        }
    }

    #[test]
    fn errors_of_log_lines_are_counted_by_their_own_status() {
        let lines = json!({"accepted": 3, "rejected": 1, "failed": 1, "errors": [
            {"line": 2, "status": "rejected", "error": {"status": 413, "detail": "too large"}},
            {"line": 5, "status": "failed", "error": {"status": 503}},
        ]});
        let outcome = outcome(207, &lines.to_string(), 5);
        assert_eq!(outcome.accepted, 3);
        assert_eq!(outcome.failures, BTreeMap::from([(Failure::Status(413), 1), (Failure::Status(503), 1)]));
        assert_eq!(outcome.reason.as_deref(), Some("too large"));
    }

    #[test]
    fn results_of_a_batch_are_counted_by_their_own_status() {
        let body = json!({"accepted": 1, "rejected": 2, "failed": 1, "results": [
            {"id": "a", "status": "accepted", "topic": "orders", "partition": 0, "offset": 1},
            {"id": "b", "status": "rejected", "error": {"status": 422, "detail": "no order_id"}},
            {"id": null, "status": "rejected", "error": {"status": 413, "title": "Too large"}},
            {"id": "d", "status": "failed", "error": {"status": 503}},
        ]});
        let outcome = outcome(207, &body.to_string(), 4);
        assert_eq!(outcome.accepted, 1);
        let failures = [413, 422, 503].map(|status| (Failure::Status(status), 1));
        assert_eq!(outcome.failures, BTreeMap::from(failures));
        assert_eq!(outcome.reason.as_deref(), Some("no order_id"));
    }

    #[test]
    fn events_without_a_result_fail_with_the_response_status() {
        let body = json!({"results": [{"status": "accepted"}, {"status": "failed"}]});
        let outcome = outcome(503, &body.to_string(), 4);
        assert_eq!(outcome.accepted, 1);
        assert_eq!(outcome.failures, BTreeMap::from([(Failure::Status(503), 3)]));
    }

    #[test]
    fn more_results_than_events_count_no_event_twice() {
        let body = json!({"results": [{"status": "accepted"}, {"status": "accepted"}]});
        assert_eq!(outcome(207, &body.to_string(), 1).events(), 1);
        assert_eq!(outcome(207, r#"{"accepted": 9}"#, 2).accepted, 2);
    }

    #[test]
    fn log_lines_are_counted_by_the_number_accepted() {
        let outcome = outcome(207, r#"{"accepted": 8, "rejected": [3, 5]}"#, 10);
        assert_eq!(outcome.accepted, 8);
        assert_eq!(outcome.failures, BTreeMap::from([(Failure::Status(207), 2)]));
    }

    #[test]
    fn a_rejected_request_fails_all_its_events() {
        let problem =
            r#"{"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "no broker"}"#;
        let refused = outcome(503, problem, 7);
        assert_eq!(refused, ResponseResult::failed(7, Failure::Status(503), Some("no broker".into())));
    }

    #[test]
    fn a_response_that_is_not_json_counts_by_its_status() {
        for status in [301, 404, 502] {
            let outcome = outcome(status, "<html>", 2);
            assert_eq!(outcome.failures, BTreeMap::from([(Failure::Status(status), 2)]));
        }
    }
}
