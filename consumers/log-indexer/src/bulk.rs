//! Documents as calls of `_bulk`, and what an answer says of each.
//!
//! A call answers 200 although it took only some documents, or none: which, its answer says item by item (OpenSearch
//! documentation, "Bulk"). What can pass by itself, or by what somebody does to the cluster, is sent again; what is the
//! document's own fault is refused.

use std::collections::HashSet;

use millrace_json::write_string;
use serde::Deserialize;

use crate::day_index::DayIndices;
use crate::document::Document;

/// The most bytes of documents in a call. Small instances of Amazon OpenSearch Service take 10 MiB in a request.
const CALL_BYTES: usize = 5 << 20;

/// About how many bytes the line before a document takes, beside its id.
const ACTION_BYTES: usize = 80;

/// How many of these documents, the first ones, go into a call: at most so many, and at least one. Those with one id and one
/// index go into calls of their own, the first first: within a call, a retry of the first could replace the second.
pub(crate) fn call_size(documents: &[Document<'_>], places: &[usize], most: usize) -> usize {
    let (mut bytes, mut names) = (0, HashSet::new());
    let fits = |place: &&usize| {
        let document = &documents[**place];
        bytes += document.json.len() + document.id.len() + ACTION_BYTES;
        bytes <= CALL_BYTES && names.insert((document.day, document.id.as_ref()))
    };
    places.iter().take(most).take_while(fits).count().max(1)
}

/// The body of a call: for each document a line that says where it goes, and the document.
pub(crate) fn body<'d>(documents: impl Iterator<Item = &'d Document<'d>>, indices: &DayIndices) -> Vec<u8> {
    let mut body = Vec::new();
    for document in documents {
        body.extend_from_slice(b"{\"index\":{\"_index\":");
        write_string(&mut body, &indices.name(document.day));
        body.extend_from_slice(b",\"_id\":");
        write_string(&mut body, &document.id);
        body.extend_from_slice(b"}}\n");
        body.extend_from_slice(document.json.as_bytes());
        body.push(b'\n');
    }
    body
}

/// The longest reason, in bytes.
const REASON_LIMIT: usize = 1_024;

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in its index.
    Indexed,
    /// It is not, and may be later: why.
    Again(String),
    /// It never will be as it is: why.
    Refused(String),
}

/// Whether the body of an answer of 400 to a call is of OpenSearch itself, and about what is in the call.
pub(crate) fn is_refusal(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        error: Failure,
    }
    serde_json::from_slice::<Refusal>(body).is_ok_and(|Refusal { error }| {
        let is_setting = error.reason.as_deref().is_some_and(|reason| reason.contains("explicit index in bulk"));
        !error.kind.is_empty() && !is_setting
    })
}

/// What an answer says of each of so many documents.
///
/// # Errors
/// It does not say that.
pub(crate) fn fates(answer: &[u8], sent: usize) -> Result<Vec<Fate>, String> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| format!("the answer is not read: {error}"))?;
    if answer.items.len() != sent {
        return Err(format!("an answer of {} items to {sent} documents", answer.items.len()));
    }
    Ok(answer.items.into_iter().map(|item| item.index.fate()).collect())
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Status,
}

#[derive(Deserialize)]
struct Status {
    status: u16,
    #[serde(default)]
    error: Failure,
}

#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default, rename = "type")]
    kind: String,
    reason: Option<String>,
    caused_by: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    reason: Option<String>,
}

impl Status {
    fn fate(self) -> Fate {
        if (200..300).contains(&self.status) {
            return Fate::Indexed;
        }
        let reason = self.reason();
        if self.may_pass() { Fate::Again(reason) } else { Fate::Refused(reason) }
    }

    /// Whether the failure is the cluster's and not the document's: it passes, or an administrator ends it.
    fn may_pass(&self) -> bool {
        match self.error.kind.as_str() {
            // An index is read-only, or none can be made: Amazon OpenSearch Service does that where storage or memory is short.
            "cluster_block_exception"
            // It has as many shards as it may: the day's index cannot be made.
            | "validation_exception"
            // Nobody but an administrator makes indices.
            | "index_not_found_exception"
            | "security_exception" => true,
            // The name of the index is something else than an index, or its settings name what is not there.
            "illegal_argument_exception" => {
                let reason = self.error.reason.as_deref().unwrap_or_default();
                ["pipeline with id", "no write index", "op_type of create"].iter().any(|part| reason.contains(part))
            }
            _ => matches!(self.status, 401 | 403 | 408 | 429 | 500..),
        }
    }

    fn reason(&self) -> String {
        let Failure { kind, reason, caused_by } = &self.error;
        let cause = caused_by.as_ref().and_then(|cause| cause.reason.as_deref());
        let parts = [Some(kind.as_str()), reason.as_deref(), cause];
        let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let mut reason = format!("OpenSearch answers {}: {}", self.status, parts.join(": "));
        // It quotes what it does not take, in whole.
        reason.truncate(reason.floor_char_boundary(REASON_LIMIT));
        reason
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const DAY: Date = date(2026, 1, 31);

    fn document(id: String, day: Date, length: usize) -> Document<'static> {
        Document { id: id.into(), day, json: format!("{{\"body\":\"{}\"}}", "x".repeat(length)).into() }
    }

    fn indices() -> DayIndices {
        DayIndices::new("logs".to_owned())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_document_is_in_one_call_in_its_order(
            lengths in proptest::collection::vec(prop_oneof![9 => 0usize..500, 1 => 0..CALL_BYTES + 100], 1..60),
            most in 1usize..40,
        ) {
            let documents: Vec<_> = lengths.iter().enumerate().map(|(id, &length)| document(id.to_string(), DAY, length)).collect();
            let all: Vec<usize> = (0..documents.len()).collect();
            let mut left = &all[..];
            while !left.is_empty() {
                let count = call_size(&documents, left, most);
                let (call, rest) = left.split_at(count);
                let bytes = body(call.iter().map(|&place| &documents[place]), &indices()).len();
                prop_assert!(count <= most && (bytes <= CALL_BYTES || count == 1));
                if let Some(&next) = rest.first() {
                    let size = documents[next].json.len() + documents[next].id.len() + 2 * ACTION_BYTES;
                    prop_assert!(count == most || bytes + size + count * ACTION_BYTES > CALL_BYTES, "no call is needless");
                }
                left = rest;
            }
        }

        /// Whatever a call takes and what is sent again, documents of one id come in one after the other.
        #[test]
        fn documents_of_one_id_keep_their_order(
            ids in proptest::collection::vec((0u8..6, 1i8..3), 0..30),
            takes in proptest::collection::vec(proptest::bool::ANY, 200),
        ) {
            let documents: Vec<_> = ids.iter().map(|(id, day)| document(id.to_string(), date(2026, 1, *day), 1)).collect();
            let (mut waiting, mut taken): (Vec<usize>, Vec<usize>) = ((0..documents.len()).collect(), Vec::new());
            let mut takes = takes.into_iter().chain(std::iter::repeat(true));
            while !waiting.is_empty() {
                let rest = waiting.split_off(call_size(&documents, &waiting, usize::MAX));
                let (now, again): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|_| takes.next().unwrap());
                taken.extend(now);
                waiting = again.into_iter().chain(rest).collect();
            }
            prop_assert_eq!(taken.len(), documents.len());
            for (earlier, &first) in taken.iter().enumerate() {
                for &second in &taken[earlier..] {
                    let is_same = (documents[first].day, &documents[first].id) == (documents[second].day, &documents[second].id);
                    prop_assert!(first <= second || !is_same, "{second} after {first}");
                }
            }
        }
    }

    #[test]
    fn a_body_is_a_pair_of_lines_for_each_document() {
        let documents = [document("a\"b".to_owned(), DAY, 1), document("c".to_owned(), date(2026, 2, 1), 2)];
        let expected = concat!(
            "{\"index\":{\"_index\":\"logs-2026.01.31\",\"_id\":\"a\\\"b\"}}\n{\"body\":\"x\"}\n",
            "{\"index\":{\"_index\":\"logs-2026.02.01\",\"_id\":\"c\"}}\n{\"body\":\"xx\"}\n",
        );
        assert_eq!(String::from_utf8(body(documents.iter(), &indices())).unwrap(), expected);
    }

    fn fate(item: &Value) -> Fate {
        let answer = json!({"items": [{"index": item}]}).to_string();
        fates(answer.as_bytes(), 1).unwrap().remove(0)
    }

    /// The types and statuses are those that OpenSearch 2.19 gave, but for those of a service's blocks.
    #[test]
    fn what_the_cluster_is_short_of_is_sent_again_and_what_a_document_has_wrong_is_refused() {
        assert_eq!(fate(&json!({"status": 201})), Fate::Indexed);
        assert_eq!(fate(&json!({"status": 200})), Fate::Indexed);
        for (status, kind, reason) in [
            (429, "rejected_execution_exception", "rejected execution of primary operation"),
            (
                429,
                "cluster_block_exception",
                "index [logs-2026.01.31] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];",
            ),
            (403, "cluster_block_exception", "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];"),
            (403, "cluster_block_exception", "index [logs-2026.01.31] blocked by: [FORBIDDEN/8/index write (api)];"),
            (400, "illegal_argument_exception", "pipeline with id [x] does not exist"),
            (403, "security_exception", "no permissions for [indices:data/write/bulk[s]]"),
            (
                400,
                "validation_exception",
                "this action would add [1] total shards, but this cluster currently has [1000]/[1000] maximum shards open;",
            ),
            (
                404,
                "index_not_found_exception",
                "no such index [logs-2026.01.31] and [action.auto_create_index] is [false]",
            ),
            (503, "unavailable_shards_exception", "primary shard is not active"),
            (500, "translog_exception", ""),
        ] {
            let fate = fate(&json!({"status": status, "error": {"type": kind, "reason": reason}}));
            assert!(matches!(fate, Fate::Again(_)), "{status} {kind} {reason}: {fate:?}");
        }
        for (status, kind, reason) in [
            (400, "mapper_parsing_exception", "failed to parse"),
            (400, "illegal_argument_exception", "Document contains at least one immense term"),
            (400, "index_closed_exception", "closed"),
        ] {
            let fate = fate(&json!({"status": status, "error": {"type": kind, "reason": reason}}));
            assert_eq!(fate, Fate::Refused(format!("OpenSearch answers {status}: {kind}: {reason}")));
        }
        let error = json!({"type": "mapper_parsing_exception", "reason": "failed to parse field [time]", "caused_by": {"type": "x", "reason": "no date"}});
        let expected = "OpenSearch answers 400: mapper_parsing_exception: failed to parse field [time]: no date";
        assert_eq!(fate(&json!({"status": 400, "error": error})), Fate::Refused(expected.to_owned()));
        let error = json!({"type": "mapper_parsing_exception", "reason": "é".repeat(1 << 20)});
        let Fate::Refused(reason) = fate(&json!({"status": 400, "error": error})) else { panic!("refused") };
        assert!(reason.len() <= REASON_LIMIT, "{} bytes", reason.len());
    }

    #[test]
    fn a_call_is_refused_by_opensearch_alone() {
        let refused = |error: Value| is_refusal(json!({"error": error, "status": 400}).to_string().as_bytes());
        assert!(refused(
            json!({"type": "action_request_validation_exception", "reason": "Validation Failed: 1: id is too long"})
        ));
        assert!(!refused(
            json!({"type": "illegal_argument_exception", "reason": "explicit index in bulk is not allowed"})
        ));
        assert!(!is_refusal(b"<html>The plain HTTP request was sent to HTTPS port</html>"));
        assert!(!is_refusal(b"{}"));
    }

    #[test]
    fn an_answer_that_does_not_say_what_became_of_each_is_none() {
        for (answer, reason) in [
            ("", "the answer is not read: EOF"),
            ("<html>", "the answer is not read: expected value"),
            ("{}", "an answer of 0 items to 2 documents"),
            (r#"{"items":[{"index":{"status":201}}]}"#, "an answer of 1 items to 2 documents"),
        ] {
            let error = fates(answer.as_bytes(), 2).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
