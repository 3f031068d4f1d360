//! What became of the events of one request.

use std::collections::BTreeMap;
use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer};

use super::connection::Answer;

/// How events failed. Written as its text: the status, or a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// The server's status for the event: its own in a batch, else the answer's.
    Status(u16),
    /// No connection, or one that broke before the answer was there.
    Connection,
    /// No answer within the time-out.
    Timeout,
    /// Due, but not answered when the run ended.
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

/// What became of the events of one request: all of them accepted or failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ResponseResult {
    pub(super) accepted: u64,
    pub(super) failures: BTreeMap<Failure, u64>,
    /// Why the first of the failures failed, in the server's or the system's words.
    pub(super) reason: Option<String>,
}

/// The members of an answer that tell about events: of a batch, of log lines, or a problem.
#[derive(Deserialize)]
struct Body {
    accepted: Option<u64>,
    results: Option<Vec<EventResult>>,
    detail: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct EventResult {
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

    /// What the answer to a request of `events` events says of each.
    pub(super) fn of(answer: &Answer, events: u64) -> Self {
        if answer.status.is_success() && answer.status != StatusCode::MULTI_STATUS {
            return Self { accepted: events, ..Self::default() };
        }
        let whole = Failure::Status(answer.status.as_u16());
        let Ok(body) = serde_json::from_slice::<Body>(&answer.body) else {
            return Self::failed(events, whole, None);
        };
        let mut verdict = Self { reason: body.detail.or(body.title), ..Self::default() };
        match body.results {
            Some(results) => {
                for result in results.into_iter().take(usize::try_from(events).unwrap_or(0)) {
                    verdict.add(result, whole);
                }
            }
            None => verdict.accepted = body.accepted.unwrap_or(0).min(events),
        }
        let without_verdict = events - verdict.events();
        if without_verdict > 0 {
            *verdict.failures.entry(whole).or_default() += without_verdict;
        }
        verdict
    }

    /// How many events this is about.
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

    fn verdict(status: u16, body: &str, events: u64) -> ResponseResult {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        ResponseResult::of(&answer, events)
    }

    #[test]
    fn success_accepts_all_events() {
        for status in [200, 202] {
            assert_eq!(verdict(status, "{}", 3).accepted, 3);
        }
    }

    #[test]
    fn mixed_verdicts_are_counted_one_by_one_under_their_own_status() {
        let body = json!({"accepted": 1, "rejected": 2, "failed": 1, "results": [
            {"id": "a", "status": "accepted", "topic": "orders", "partition": 0, "offset": 1},
            {"id": "b", "status": "rejected", "error": {"status": 422, "detail": "no order_id"}},
            {"id": null, "status": "rejected", "error": {"status": 413, "title": "Too large"}},
            {"id": "d", "status": "failed", "error": {"status": 503}},
        ]});
        let verdict = verdict(207, &body.to_string(), 4);
        assert_eq!(verdict.accepted, 1);
        let failures = [413, 422, 503].map(|status| (Failure::Status(status), 1));
        assert_eq!(verdict.failures, BTreeMap::from(failures));
        assert_eq!(verdict.reason.as_deref(), Some("no order_id"));
    }

    #[test]
    fn events_of_which_a_batch_says_nothing_fail_with_the_answers_status() {
        let body = json!({"results": [{"status": "accepted"}, {"status": "failed"}]});
        let verdict = verdict(503, &body.to_string(), 4);
        assert_eq!(verdict.accepted, 1);
        assert_eq!(verdict.failures, BTreeMap::from([(Failure::Status(503), 3)]));
    }

    #[test]
    fn more_verdicts_than_events_count_no_event_twice() {
        let body = json!({"results": [{"status": "accepted"}, {"status": "accepted"}]});
        assert_eq!(verdict(207, &body.to_string(), 1).events(), 1);
        assert_eq!(verdict(207, r#"{"accepted": 9}"#, 2).accepted, 2);
    }

    #[test]
    fn log_lines_are_counted_by_the_number_accepted() {
        let verdict = verdict(207, r#"{"accepted": 8, "rejected": [3, 5]}"#, 10);
        assert_eq!(verdict.accepted, 8);
        assert_eq!(verdict.failures, BTreeMap::from([(Failure::Status(207), 2)]));
    }

    #[test]
    fn a_refused_request_fails_all_its_events_for_the_reason_of_the_problem() {
        let problem =
            r#"{"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "no broker"}"#;
        let refused = verdict(503, problem, 7);
        assert_eq!(refused, ResponseResult::failed(7, Failure::Status(503), Some("no broker".into())));
    }

    #[test]
    fn an_answer_that_is_no_json_counts_by_its_status() {
        for status in [301, 404, 502] {
            let verdict = verdict(status, "<html>", 2);
            assert_eq!(verdict.failures, BTreeMap::from([(Failure::Status(status), 2)]));
        }
    }
}
