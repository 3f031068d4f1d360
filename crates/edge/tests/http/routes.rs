//! Successful requests on every route.

use std::collections::HashSet;

use millrace_domain::digest;
use millrace_json::Document;

use crate::host::{Host, Record};

/// Asserts on the headers of an event of the edge's own routes.
fn assert_envelope(record: &Record, id: &str, kind: &str) {
    let names: Vec<_> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type", "traceparent"];
    assert_eq!(names, expected);
    assert_eq!(record.header("ce_id"), Some(id));
    assert_eq!(record.header("ce_type"), Some(kind));
    assert_eq!(record.header("ce_source"), Some("/millrace/edge"));
    assert_eq!(record.header("ce_specversion"), Some("1.0"));
    assert_eq!(record.header("content-type"), Some("application/json"));
    let time = record.header("ce_time").unwrap();
    assert!(time.ends_with('Z') && time.len() == "2026-01-31T12:00:00.000Z".len(), "{time}");
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
}

#[tokio::test]
async fn each_route_writes_the_clients_bytes_to_its_topic() {
    for (path, body, status, text, topic, key, kind) in [
        (
            "/send-notification",
            r#"{"user_id": "12345", "message": "hello", "more": [1.50, null]}"#,
            200,
            "Notification sent",
            "notifications",
            "12345",
            "millrace.notification.requested",
        ),
        (
            "/send_notification",
            r#" { "message" : "h\u00e9", "user_id" : 7 } "#,
            200,
            "Notification sent",
            "notifications",
            "7",
            "millrace.notification.requested",
        ),
        (
            "/register_event",
            r#"{"event_id":"e1","page":"/"}"#,
            200,
            "Event registered successfully!",
            "events",
            "e1",
            "millrace.event.registered",
        ),
        ("/orders", r#"{"order_id":"101","amount":49.90}"#, 202, "accepted", "orders", "101", "millrace.order.placed"),
        (
            "/user-login",
            r#"{"user_id":"u","device_type":"ios","ip":"::1","locale":"DE","timestamp":"1769860800"}"#,
            202,
            "accepted",
            "user-login",
            "u",
            "millrace.login.seen",
        ),
    ] {
        let host = Host::new();
        let answer = host.post(path, body).await;
        assert_eq!(answer.status, status, "{path}: {:?}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let json = answer.json();
        let id = json["id"].as_str().unwrap();
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "{path}: a UUIDv7");
        let expected = serde_json::json!({"status": text, "id": id, "topic": topic, "partition": 3, "offset": 0});
        assert_eq!(json, expected, "{path}");
        let record = host.take_record();
        assert_eq!((record.topic, record.key.as_str(), record.text()), (topic, key, body), "{path}");
        assert_envelope(&record, id, kind);
    }
}

#[tokio::test]
async fn times_of_logins_are_unix_seconds_or_rfc_3339() {
    for time in [
        "1769860800",
        "1769860800.25",
        "\"1769860800\"",
        "\"2026-01-31T12:00:00Z\"",
        "\"9999-12-31T23:59:59Z\"",
        "\"2026-01-31T12:00:00.123456789012Z\"",
        "253402300799",
        "null",
    ] {
        let host = Host::new();
        let body = format!(r#"{{"user_id":"u","timestamp":{time}}}"#);
        assert_eq!(host.post("/user-login", body.clone()).await.status, 202, "{time}");
        assert_eq!(host.take_record().text(), body);
    }
}

#[tokio::test]
async fn a_form_becomes_a_json_object_with_a_timestamp() {
    let host = Host::new();
    let form = "application/x-www-form-urlencoded; charset=UTF-8";
    let answer = host.post_as(form, "/register_event", "name=Ann+Lee&user_id=%34%32&tag=a&tag=b").await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let record = host.take_record();
    let value: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
    assert_eq!((record.topic, record.key.as_str()), ("events", "42"));
    assert_eq!(record.header("content-type"), Some("application/json"));
    assert_eq!((&value["name"], &value["tag"]), (&"Ann Lee".into(), &serde_json::json!(["a", "b"])));
    assert!(value["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{value}");

    assert_eq!(host.post_as(form, "/register_event", "timestamp=yesterday&id=").await.status, 200);
    assert_eq!(host.take_record().text(), r#"{"timestamp":"yesterday","id":""}"#);
}

/// The edge adds a `timestamp`, which counts as the event's own where it is the event's `time`.
#[tokio::test]
async fn a_form_posted_twice_is_one_event() {
    let host = Host::new();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("idempotency-key", "k")];
    let mut digests = HashSet::new();
    for _ in 0..2 * 10_000 {
        host.call("POST", "/register_event", &headers, "user_id=42&page=%2F").await;
        let record = host.take_record();
        let (kind, time) = (record.header("ce_type").unwrap(), record.header("ce_time").unwrap());
        digests.insert(digest::of_json(kind, time, &Document::parse(&record.value).unwrap()));
    }
    assert_eq!(digests.len(), 1);
}

#[tokio::test]
async fn a_form_of_many_fields_is_read_in_linear_time() {
    let fields: Vec<_> = (0..20_000).map(|index| format!("f{index}=1")).collect();
    let host = Host::new();
    let started = std::time::Instant::now();
    let answer = host.post_as("application/x-www-form-urlencoded", "/register_event", fields.join("&")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    // A search through all fields for each would take 200 million comparisons.
    assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());

    let tiny = "a&".repeat(2 << 20);
    host.post_as("application/x-www-form-urlencoded", "/register_event", tiny).await.problem(413);
}

#[tokio::test]
async fn health_and_get_status_answer() {
    let host = Host::new();
    let health = host.call("GET", "/health", &[], "").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &"ok".into()));
    let status = host.call("GET", "/get_status", &[], "").await;
    assert_eq!(status.status, 200);
    let expected = serde_json::json!({
        "status": "ok", "kafka": {"connected": true, "brokers": 3}, "topics": {}, "consumers": {},
    });
    assert_eq!(status.json(), expected);

    host.disconnect();
    let status = host.call("GET", "/get_status", &[], "").await;
    assert_eq!((status.status.as_u16(), status.header("retry-after")), (503, Some("2")));
    assert_eq!(status.json()["status"], "degraded");
    assert_eq!(status.json()["kafka"], serde_json::json!({"connected": false, "brokers": 0}));
    assert_eq!(host.call("GET", "/health", &[], "").await.status, 200);
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let host = Host::new();
    for path in ["/health", "/get_status", "/openapi.json"] {
        let answer = host.call("HEAD", path, &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    }
}

#[tokio::test]
async fn an_idempotency_key_becomes_the_events_id() {
    for (header, id) in [("k-1", "k-1"), ("\"k-1\"", "k-1"), (" k ", "k")] {
        let host = Host::new();
        let answer = host.call("POST", "/register_event", &[("idempotency-key", header)], "{}").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["id"]), (200, &id.into()));
        let record = host.take_record();
        // Without a key field the id is the key as well.
        assert_eq!((record.key.as_str(), record.header("ce_id")), (id, Some(id)));
    }
    let longest = "k".repeat(255);
    let host = Host::new();
    let answer = host.call("POST", "/orders", &[("idempotency-key", &longest)], r#"{"order_id":1}"#).await;
    assert_eq!(answer.json()["id"], longest);
}

#[tokio::test]
async fn a_request_id_is_echoed_or_generated() {
    let host = Host::new();
    for (path, status) in [("/health", 200), ("/nowhere", 404), ("/orders", 405)] {
        let answer = host.call("GET", path, &[("x-request-id", "abc-1")], "").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (status, Some("abc-1")), "{path}");
    }
    for sent in [None, Some(""), Some(&*"x".repeat(129)), Some("ümlaut")] {
        let headers: Vec<_> = sent.map(|id| ("x-request-id", id)).into_iter().collect();
        let answer = host.call("GET", "/health", &headers, "").await;
        assert_eq!(answer.header("x-request-id").unwrap().len(), 36, "{sent:?}");
    }
}

#[tokio::test]
async fn a_callers_trace_continues_with_a_new_parent_id() {
    let host = Host::new();
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    host.call("POST", "/orders", &[("traceparent", caller)], r#"{"order_id":1}"#).await;
    let record = host.take_record();
    let written = record.header("traceparent").unwrap();
    assert_eq!((&written[..36], &written[52..]), (&caller[..36], &caller[52..]));
    assert_ne!(written[36..52], caller[36..52]);

    host.call("POST", "/orders", &[("traceparent", "nonsense")], r#"{"order_id":1}"#).await;
    let record = host.take_record();
    assert_eq!(record.header("traceparent").unwrap().len(), caller.len());
}
