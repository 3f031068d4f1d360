//! `POST /logs`: anybody's JSON and anybody's text, a record a line.

use millrace_domain::ErrorClass;
use millrace_edge::{Limits, SinkError};
use serde_json::json;

use crate::host::{Answer, Host, Record};

const LINES: &str = "application/x-ndjson";

fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(Record::text).collect()
}

/// Asserts a problem of the whole request.
fn refused(answer: &Answer, status: u16, detail: &str) {
    let problem = answer.problem(status);
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
}

#[tokio::test]
async fn each_line_is_a_record_of_its_service() {
    let host = Host::new();
    let body = "{\"level\":\"info\",\"msg\":\"paid\"}\r\n\n  \n2026-01-31 12:00:00 INFO \"paid\"\\\n{\"a\":1}";
    let answer = host.post_as(LINES, "/logs?service=check%20out", body).await;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(answer.json(), json!({"accepted": 3, "rejected": 0, "failed": 0, "errors": []}));
    let records = host.take_records();
    let expected =
        [r#"{"level":"info","msg":"paid"}"#, r#"{"message":"2026-01-31 12:00:00 INFO \"paid\"\\"}"#, r#"{"a":1}"#];
    assert_eq!(texts(&records), expected);
    for record in &records {
        assert_eq!((record.topic, record.key.as_str()), ("raw-logs", "check out"));
        assert_eq!(record.header("ce_type"), Some("millrace.log.written"));
        assert_eq!(record.header("content-type"), Some("application/json"));
        assert!(record.header("traceparent").is_some() && record.header("ce_id").is_some());
    }
    assert_ne!(records[0].header("ce_id"), records[1].header("ce_id"));
}

/// A log line is anybody's JSON: what the events' strict reader refuses is written as it was sent.
#[tokio::test]
async fn json_that_events_refuse_is_written_as_it_was_sent() {
    let host = Host::new();
    let lines = [
        r#"{"msg":"a","msg":"b"}"#,
        r#"{"n":123456789012345678901234567890,"e":1e999}"#,
        r#"{"half":"\ud800"}"#,
        r#"{"ratio":NaN,"low":-Infinity}"#,
    ];
    let answer = host.post_as(LINES, "/logs", lines.join("\n")).await;
    assert_eq!((answer.status.as_u16(), answer.json()["accepted"].as_u64()), (202, Some(4)));
    let records = host.take_records();
    assert_eq!(texts(&records), lines);
    assert!(records.iter().all(|record| record.key == "unknown"));
    // As an array, too.
    host.post_as("application/json", "/logs", format!("[{}]", lines.join(" ,\n"))).await;
    assert_eq!(texts(&host.take_records()), lines);
}

#[tokio::test]
async fn elements_of_an_array_are_records() {
    let host = Host::new();
    let answer = host.post_as("application/json", "/logs", r#" [{"a":1}, "a \"plain\" line", 7, null, [1]] "#).await;
    assert_eq!((answer.status.as_u16(), answer.json()["accepted"].as_u64()), (202, Some(5)));
    let expected = [
        r#"{"a":1}"#,
        r#"{"message":"a \"plain\" line"}"#,
        r#"{"message":"7"}"#,
        r#"{"message":"null"}"#,
        r#"{"message":"[1]"}"#,
    ];
    assert_eq!(texts(&host.take_records()), expected);
}

/// As a person writes it. Lines stay lines: most senders of NDJSON call it JSON.
#[tokio::test]
async fn an_object_on_several_lines_is_a_record() {
    let host = Host::new();
    for (body, expected) in [
        ("\n{\n  \"level\": \"error\"\n}\n", vec!["{\n  \"level\": \"error\"\n}"]),
        ("{\"a\":1}\n{\"b\":2}\n", vec!["{\"a\":1}", "{\"b\":2}"]),
        ("{\"a\":\n", vec!["{\"message\":\"{\\\"a\\\":\"}"]),
    ] {
        let answer = host.post_as("application/json", "/logs", body).await;
        assert_eq!(answer.status.as_u16(), 202, "{body}");
        assert_eq!(texts(&host.take_records()), expected);
    }
}

/// Plain lines may begin with a bracket.
#[tokio::test]
async fn plain_text_is_no_array() {
    let host = Host::new();
    let answer = host
        .post_as("text/plain; charset=utf-8", "/logs", "[2026-01-31 12:00:00 +0000] [1] [INFO] x\n{\"a\":1}\n")
        .await;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(
        texts(&host.take_records()),
        [r#"{"message":"[2026-01-31 12:00:00 +0000] [1] [INFO] x"}"#, r#"{"a":1}"#]
    );
}

#[tokio::test]
async fn the_service_is_named_by_query_or_header() {
    let host = Host::new();
    for (path, header, expected) in [
        ("/logs?x=1&service=a&service=b", "c", "a"),
        ("/logs", "c", "c"),
        ("/logs?service=", "c", "c"),
        ("/logs", "", "unknown"),
    ] {
        let answer = host.call("POST", path, &[("content-type", LINES), ("x-service", header)], "line").await;
        assert_eq!(answer.status.as_u16(), 202, "{path}");
        assert_eq!(host.take_records()[0].key, expected, "{path}");
    }
    let long = format!("/logs?service={}", "x".repeat(256));
    refused(&host.post_as(LINES, &long, "line").await, 400, "longer than 255 bytes");
    refused(&host.post_as(LINES, "/logs?service=a%00", "line").await, 400, "must not hold U+0000");
}

#[tokio::test]
async fn a_body_of_blank_lines_accepts_none() {
    let host = Host::new();
    for body in ["", "\n\n", " \r\n"] {
        let answer = host.post_as(LINES, "/logs", body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["accepted"].as_u64()), (202, Some(0)));
    }
    assert!(host.take_records().is_empty());
}

#[tokio::test]
async fn bad_lines_are_named_by_their_numbers() {
    let host = Host::with(Limits { value: 64, ..Limits::default() });
    let body = [b"one\n\xFF\xFE\n".as_slice(), "x".repeat(65).as_bytes(), b"\n\nlast"].concat();
    let answer = host.post_as(LINES, "/logs", body).await;
    assert_eq!(answer.status.as_u16(), 207);
    let json = answer.json();
    assert_eq!((&json["accepted"], &json["rejected"], &json["failed"]), (&json!(2), &json!(2), &json!(0)));
    let errors = json["errors"].as_array().unwrap();
    let of = |index: usize| {
        (errors[index]["line"].as_u64(), errors[index]["status"].as_str(), errors[index]["error"]["status"].as_u64())
    };
    assert_eq!(of(0), (Some(2), Some("rejected"), Some(400)));
    assert_eq!(of(1), (Some(3), Some("rejected"), Some(413)));
    assert_eq!(texts(&host.take_records()).len(), 2);
    let answer = host.post_as(LINES, "/logs", b"\xFF".to_vec()).await;
    assert_eq!(answer.status.as_u16(), 422);
}

#[tokio::test]
async fn lines_that_are_not_acknowledged_are_failed() {
    let host = Host::new();
    let transient = Err(SinkError::NotWritten { class: ErrorClass::Transient, reason: "no leader".to_owned() });
    host.answer_with([Ok(()), transient.clone(), Err(SinkError::OutcomeUnknown)]);
    let answer = host.post_as(LINES, "/logs", "a\nb\n\nc").await;
    assert_eq!(answer.status.as_u16(), 207);
    let json = answer.json();
    assert_eq!((&json["accepted"], &json["failed"]), (&json!(1), &json!(2)));
    let lines: Vec<_> = json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["line"].as_u64().unwrap(), error["error"]["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(lines, [(2, 503), (4, 504)]);
    host.answer_with([transient]);
    let answer = host.post_as(LINES, "/logs", "a").await;
    assert_eq!(answer.status.as_u16(), 503);
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn requests_that_cannot_be_read_write_nothing() {
    let host = Host::new();
    refused(&host.post_as("application/json", "/logs", "[{\"a\":1},]").await, 400, "broken at byte 9");
    refused(&host.post_as("application/json", "/logs", b"[\"\xFF\"]".to_vec()).await, 400, "not UTF-8");
    let answer = host.post_as("application/x-www-form-urlencoded", "/logs", "a=1").await;
    refused(&answer, 415, "application/x-ndjson, application/json, text/plain");
    let answer = host.call("POST", "/logs", &[("content-type", LINES), ("idempotency-key", "k")], "a").await;
    refused(&answer, 400, "Idempotency-Key");
    let many = "x\n".repeat(100_001);
    refused(&host.post_as(LINES, "/logs", many).await, 413, "more than 100000 lines");
    assert!(host.take_records().is_empty());
}
