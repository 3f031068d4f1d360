//! `POST /v1/logs`: what OpenTelemetry's SDKs send, and what they need to be answered.

use std::io::Write as _;

use flate2::write::GzEncoder;
use http::StatusCode;
use millrace_domain::ErrorClass;
use millrace_edge::{Limits, SinkError};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::{Value, json};

use crate::host::{Answer, Host};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A request with a record of every kind of value.
fn request() -> ExportLogsServiceRequest {
    let any = |value| AnyValue { value: Some(value) };
    let list = ArrayValue { values: vec![any(Any::IntValue(1)), AnyValue { value: None }] };
    let record = LogRecord {
        time_unix_nano: 1_769_860_800_123_456_789,
        observed_time_unix_nano: 1_769_860_801_000_000_000,
        severity_number: 13,
        severity_text: "WARN".to_owned(),
        body: Some(any(Any::StringValue("paid \"7\"".to_owned()))),
        attributes: vec![
            pair("order", Any::StringValue("o1".to_owned())),
            pair("big", Any::IntValue(i64::MAX)),
            pair("ratio", Any::DoubleValue(1.0)),
            pair("nan", Any::DoubleValue(f64::NAN)),
            pair("ok", Any::BoolValue(true)),
            pair("bytes", Any::BytesValue(vec![0, 1, 255])),
            pair("list", Any::ArrayValue(list)),
            pair("map", Any::KvlistValue(KeyValueList { values: vec![pair("a", Any::StringValue("b".to_owned()))] })),
            KeyValue { key: "none".to_owned(), ..KeyValue::default() },
        ],
        trace_id: (0_u8..16).collect(),
        span_id: (1_u8..9).collect(),
        flags: 1,
        event_name: "paid".to_owned(),
        ..LogRecord::default()
    };
    let scope = InstrumentationScope { name: "app.pay".to_owned(), version: "1".to_owned(), ..Default::default() };
    let resource = Resource {
        attributes: vec![pair("service.name", Any::StringValue("checkout".to_owned()))],
        ..Default::default()
    };
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records: vec![record], ..Default::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: Some(resource), scope_logs, ..Default::default() }],
    }
}

/// The record that `request` becomes.
const WRITTEN: &str = concat!(
    r#"{"time":"2026-01-31T12:00:00.123456789Z","observed_time":"2026-01-31T12:00:01Z","severity_number":13,"severity_text":"WARN","#,
    r#""trace_id":"000102030405060708090a0b0c0d0e0f","span_id":"0102030405060708","#,
    r#""body":"paid \"7\"","attributes":{"order":"o1","big":9223372036854775807,"ratio":1.0,"nan":"NaN","ok":true,"bytes":"AAH/","#,
    r#""list":[1,null],"map":{"a":"b"},"none":null},"#,
    r#""flags":1,"event_name":"paid","scope":{"name":"app.pay","version":"1"},"resource":{"service.name":"checkout"}}"#
);

/// A request in JSON of one record with these members.
fn with_members(members: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#)
}

/// The record that a JSON request of these members becomes.
async fn written(members: &str) -> Value {
    let host = Host::new();
    let answer = host.post_as(JSON, "/v1/logs", with_members(members)).await;
    assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, b"{}".as_slice()), "{members}");
    serde_json::from_slice(&host.take_record().value).unwrap()
}

/// The record's attribute `a` of this value.
async fn attribute(value: &str) -> Value {
    written(&format!(r#""attributes":[{{"key":"a","value":{value}}}]"#)).await["attributes"]["a"].clone()
}

#[tokio::test]
async fn a_record_in_protobuf_is_written_digit_for_digit() {
    let host = Host::new();
    let answer = host.post_as(PROTOBUF, "/v1/logs", request().encode_to_vec()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type"), answer.body.len()), (200, Some(PROTOBUF), 0));
    let record = host.take_record();
    assert_eq!(record.text(), WRITTEN);
    assert_eq!((record.topic, record.key.as_str()), ("raw-logs", "checkout"));
    assert_eq!(record.header("ce_type"), Some("millrace.log.written"));
}

#[tokio::test]
async fn the_same_in_json_is_the_same_record() {
    let record = json!({
        "timeUnixNano": "1769860800123456789", "observedTimeUnixNano": "1769860801000000000", "severityNumber": 13,
        "severityText": "WARN", "body": {"stringValue": "paid \"7\""},
        "attributes": [
            {"key": "order", "value": {"stringValue": "o1"}}, {"key": "big", "value": {"intValue": "9223372036854775807"}},
            {"key": "ratio", "value": {"doubleValue": 1.0}}, {"key": "nan", "value": {"doubleValue": "NaN"}},
            {"key": "ok", "value": {"boolValue": true}}, {"key": "bytes", "value": {"bytesValue": "AAH/"}},
            {"key": "list", "value": {"arrayValue": {"values": [{"intValue": 1}, {}]}}},
            {"key": "map", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}}},
            {"key": "none", "value": {}},
        ],
        "traceId": "000102030405060708090A0B0C0D0E0F", "spanId": "0102030405060708", "flags": 1, "eventName": "paid",
    });
    let request = json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
        "scopeLogs": [{"scope": {"name": "app.pay", "version": "1"}, "logRecords": [record]}],
    }]});
    let host = Host::new();
    let answer = host.post_as("application/json; charset=utf-8", "/v1/logs", request.to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(JSON)));
    assert_eq!(host.take_record().text(), WRITTEN);
}

/// The nearest double, not one beside it.
#[tokio::test]
async fn doubles_in_json_keep_their_last_digit() {
    for number in 1..1_000 {
        let double = f64::from(number) / 7.0;
        for form in ["doubleValue", "intValue"] {
            let body = written(&format!(r#""body":{{"{form}":{double:?}}}"#)).await["body"].clone();
            assert_eq!(body.to_string(), format!("{double:?}"));
        }
    }
}

/// Each form that one reader or another refuses.
#[tokio::test]
async fn values_are_read_in_every_form_that_senders_write() {
    for (value, expected) in [
        (r#"{"intValue":7}"#, json!(7)),
        (r#"{"intValue":"7"}"#, json!(7)),
        (r#"{"intValue":9007199254740992}"#, json!(9_007_199_254_740_992_i64)),
        (r#"{"intValue":1e+21}"#, json!(1e21)),
        (r#"{"doubleValue":"NaN"}"#, json!("NaN")),
        (r#"{"doubleValue":"-Infinity"}"#, json!("-Infinity")),
        (r#"{"doubleValue":null}"#, json!("NaN")),
        (r#"{"doubleValue":1}"#, json!(1.0)),
        (r#"{"double_value":"1.5"}"#, json!(1.5)),
        (r#"{"arrayValue":{}}"#, json!([])),
        (r#"{"arrayValue":{"values":null}}"#, json!([])),
        (r#"{"kvlistValue":{}}"#, json!({})),
        (r#"{"bytesValue":"_-8="}"#, json!("/+8=")),
        (r#"{"bytesValue":"_-8"}"#, json!("/+8=")),
        ("{}", Value::Null),
        ("null", Value::Null),
        (r#"{"stringValue":null}"#, Value::Null),
        (r#"{"stringValue":"caf\u00e9 \ud83d\ude00"}"#, json!("café \u{1f600}")),
        (r#"{"stringValue":"half \ud800."}"#, json!("half \u{fffd}.")),
        (r#"{"stringValue":"\ud800\ud800é\udc00"}"#, json!("\u{fffd}\u{fffd}é\u{fffd}")),
        (r#"{"newValue":[{"a":1}],"stringValue":"x"}"#, json!("x")),
    ] {
        assert_eq!(attribute(value).await, expected, "{value}");
    }
    assert_eq!(written(r#""attributes":[{"key":"a"}]"#).await["attributes"]["a"], Value::Null);
}

#[tokio::test]
async fn fields_are_read_in_every_form_that_senders_write() {
    for (members, name, expected) in [
        (r#""timeUnixNano":1769860800123456789"#, "time", json!("2026-01-31T12:00:00.123456789Z")),
        (r#""time_unix_nano":"1769860800123456789""#, "time", json!("2026-01-31T12:00:00.123456789Z")),
        (r#""timeUnixNano":null"#, "time", Value::Null),
        (r#""timeUnixNano":"0""#, "time", Value::Null),
        (r#""severityNumber":"SEVERITY_NUMBER_WARN""#, "severity_number", json!(13)),
        (r#""severityNumber":"SEVERITY_NUMBER_ERROR3""#, "severity_number", json!(19)),
        (r#""severityNumber":"13""#, "severity_number", json!(13)),
        (r#""severity_number":13"#, "severity_number", json!(13)),
        (r#""flags":"1""#, "flags", json!(1)),
        (r#""traceId":"""#, "trace_id", Value::Null),
        (r#""traceId":"00000000000000000000000000000000""#, "trace_id", Value::Null),
        (r#""trace_id":"4BF92F3577B34DA6A3CE929D0E0E4736""#, "trace_id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        (r#""attributes":null"#, "attributes", Value::Null),
        (r#""body":null"#, "body", Value::Null),
        (r#""body":{"stringValue":"x"},"unknown":[1,{"a":null}]"#, "body", json!("x")),
    ] {
        assert_eq!(written(members).await[name], expected, "{members}");
    }
    // A record without a time has the time of its observation.
    assert!(written("").await["observed_time"].is_string());
}

#[tokio::test]
async fn requests_without_records_are_full_successes() {
    let host = Host::new();
    for body in ["", "{}", r#"{"resourceLogs":null}"#, r#"{"resource_logs":[{"scope_logs":[]}]}"#] {
        let answer = host.post_as(JSON, "/v1/logs", body).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (200, b"{}".as_slice()), "{body}");
    }
    assert_eq!(host.post_as(PROTOBUF, "/v1/logs", "").await.status.as_u16(), 200);
    assert!(host.take_records().is_empty());
}

#[tokio::test]
async fn gzip_is_read_in_both_encodings() {
    let host = Host::new();
    for (media_type, body) in [(PROTOBUF, request().encode_to_vec()), (JSON, with_members("").into_bytes())] {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&body).unwrap();
        let headers = [("content-type", media_type), ("content-encoding", "gzip")];
        let answer = host.call("POST", "/v1/logs", &headers, gzip.finish().unwrap()).await;
        assert_eq!(answer.status.as_u16(), 200);
        host.take_record();
    }
}

#[tokio::test]
async fn a_service_without_a_usable_name_is_unknown_service() {
    let host = Host::new();
    for name in [r#"{"stringValue":""}"#, r#"{"intValue":7}"#, "{}", r#"{"stringValue":"a\u0000"}"#] {
        let body = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{name}}}]}},"scopeLogs":[{{"logRecords":[{{}}]}}]}}]}}"#
        );
        host.post_as(JSON, "/v1/logs", body).await;
        assert_eq!(host.take_record().key, "unknown_service");
    }
}

#[tokio::test]
async fn records_that_are_too_large_are_a_partial_success() {
    let host = Host::with(Limits { value: 200, ..Limits::default() });
    let mut request = request();
    let records = &mut request.resource_logs[0].scope_logs[0].log_records;
    records.push(LogRecord::default());
    let answer = host.post_as(PROTOBUF, "/v1/logs", request.encode_to_vec()).await;
    assert_eq!(answer.status.as_u16(), 200);
    let partial = ExportLogsServiceResponse::decode(answer.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 1);
    assert!(partial.error_message.contains("the limit is 200"), "{}", partial.error_message);
    assert_eq!(host.take_records().len(), 1);
    let members = format!(r#""body":{{"stringValue":"{}"}}"#, "x".repeat(300));
    let answer = host.post_as(JSON, "/v1/logs", with_members(&members)).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "1");
}

/// The others are taken.
#[tokio::test]
async fn a_record_that_cannot_be_read_is_a_partial_success() {
    let host = Host::new();
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(200), "]}}".repeat(200));
    for wrong in [
        r#"{"traceId":"xyz"}"#,
        r#"{"timeUnixNano":-1}"#,
        r#"{"severityNumber":13.5}"#,
        r#"{"severityText":"a","severity_text":"b"}"#,
        r#"{"attributes":[null]}"#,
        r#"{"body":{"doubleValue":1e400}}"#,
        "null",
        &format!(r#"{{"body":{deep}}}"#),
    ] {
        let body = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"pay"}}}}]}},
                "scopeLogs":[{{"logRecords":[{wrong},{{"body":{{"stringValue":"good"}}}}]}}]}}]}}"#
        );
        let answer = host.post_as(JSON, "/v1/logs", body).await;
        assert_eq!(answer.status.as_u16(), 200, "{wrong}");
        let partial = &answer.json()["partialSuccess"];
        assert_eq!(partial["rejectedLogRecords"], "1", "{wrong}");
        assert!(partial["errorMessage"].as_str().is_some_and(|reason| !reason.is_empty()), "{wrong}");
        let record = host.take_record();
        assert_eq!((record.key.as_str(), record.text().contains("good")), ("pay", true), "{wrong}");
    }
    // Nobody knows whose they are.
    let body = r#"{"resourceLogs":[{"resource":{"attributes":[7]},"scopeLogs":[{"logRecords":[{},{}]}]}]}"#;
    let answer = host.post_as(JSON, "/v1/logs", body).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "2");
    assert!(host.take_records().is_empty());
}

/// The body of an error in JSON: `google.rpc.Status`.
fn assert_status(answer: &Answer, status: u16) {
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, Some(JSON)));
    let body = answer.json();
    assert!(body["code"].is_i64() && body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
}

#[tokio::test]
async fn what_is_no_request_is_400_with_a_status() {
    let host = Host::new();
    for body in ["{", "[]", r#"{"resourceLogs":7}"#, &with_members(r#""severityText":NaN"#)] {
        assert_status(&host.post_as(JSON, "/v1/logs", body.to_owned()).await, 400);
    }
    let answer = host.post_as(PROTOBUF, "/v1/logs", vec![0xFF, 0xFF]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, Some(PROTOBUF)));
    assert_status(&host.post_as("text/plain", "/v1/logs", "x").await, 415);
    assert_status(
        &host.call("POST", "/v1/logs", &[("content-type", JSON), ("content-encoding", "br")], "{}").await,
        415,
    );
    assert_status(&host.post_as(JSON, "/v1/logs", "x".repeat(6 << 20)).await, 413);
    assert!(host.take_records().is_empty());
}

/// A passing fault may be sent again, soon: never 500 or 504.
#[tokio::test]
async fn a_write_that_fails_is_503_after_two_seconds() {
    let host = Host::new();
    let not_written = SinkError::NotWritten { class: ErrorClass::Transient, reason: "no leader".to_owned() };
    for error in [not_written, SinkError::OutcomeUnknown] {
        host.answer_with([Err(error)]);
        let answer = host.post_as(JSON, "/v1/logs", with_members("")).await;
        assert_status(&answer, 503);
        assert_eq!(answer.header("retry-after"), Some("2"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_within_four_seconds_though_the_sink_hangs() {
    let host = Host::new();
    host.hang();
    let start = tokio::time::Instant::now();
    let answer = host.post_as(PROTOBUF, "/v1/logs", request().encode_to_vec()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("2")));
    assert!(start.elapsed() < std::time::Duration::from_secs(4));
}

/// A 2xx to GET would turn a redirect from http to https into silent loss.
#[tokio::test]
async fn get_is_405() {
    assert_eq!(Host::new().call("GET", "/v1/logs", &[], "").await.status.as_u16(), 405);
}
