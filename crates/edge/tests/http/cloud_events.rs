//! Single CloudEvents, structured and binary.

use crate::host::Host;

const STRUCTURED: &str = "application/cloudevents+json";

/// The data reaches the topic byte for byte, in structured and in binary mode.
#[tokio::test]
async fn the_type_chooses_the_topic() {
    for (kind, data, topic, key) in [
        ("millrace.notification.requested", r#"{ "user_id":7 , "message":"m" }"#, "notifications", "7"),
        ("millrace.order.placed", r#"{"order_id":"101"}"#, "orders", "101"),
        ("millrace.login.seen", r#"{"user_id":"u"}"#, "user-login", "u"),
        ("millrace.log.written", r#"{"service":"web","line":1}"#, "raw-logs", "web"),
        ("millrace.log.written", "{}", "raw-logs", "unknown"),
        ("millrace.event.registered", r#"{"id":"d"}"#, "events", "d"),
        ("com.example.page", r#"{"user_id":"u"}"#, "events", "u"),
        ("com.example.page", "[1, 2]", "events", "e-1"),
        ("com.example.page", r#""text""#, "events", "e-1"),
        ("com.example.page", "0", "events", "e-1"),
        ("com.example.page", "false", "events", "e-1"),
    ] {
        let host = Host::new();
        let event = format!(r#"{{"specversion":"1.0","id":"e-1","source":"/shop","type":"{kind}","data":{data}}}"#);
        let structured = host.post_as(&format!("{STRUCTURED}; charset=utf-8"), "/events", event).await;
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "e-1"),
            ("ce-source", "/shop"),
            ("ce-type", kind),
            ("content-type", "application/json"),
        ];
        let binary = host.call("POST", "/events", &headers, data).await;
        for (answer, record) in [structured, binary].iter().zip(host.take_records()) {
            assert_eq!(answer.status, 202, "{kind}: {:?}", answer.body);
            let offset = &answer.json()["offset"];
            let expected = serde_json::json!({
                "status": "accepted", "id": "e-1", "topic": topic, "partition": 3, "offset": offset,
            });
            assert_eq!(answer.json(), expected);
            assert_eq!((record.topic, record.key.as_str(), record.text()), (topic, key, data));
            assert_eq!(record.header("ce_id"), Some("e-1"));
            assert_eq!(record.header("ce_type"), Some(kind));
            assert_eq!(record.header("ce_source"), Some("/shop"));
            assert_eq!(record.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn attributes_of_both_modes_become_the_same_headers() {
    let host = Host::new();
    let event = r#"{"specversion":"1.0","id":"a","source":"/café","type":"t","time":"2026-01-31T14:00:00+02:00","subject":"s",
        "dataschema":"http://example.com/1","datacontenttype":"text/plain","tenant":"a b","flag":true,"count":-3,"gone":null,
        "data":"hello"}"#;
    assert_eq!(host.post_as(STRUCTURED, "/events", event).await.status, 202);
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "a"),
        ("ce-source", "/caf%C3%A9"),
        ("ce-type", "t"),
        ("ce-time", "2026-01-31T14:00:00+02:00"),
        ("ce-subject", "s"),
        ("ce-dataschema", "http://example.com/1"),
        ("CE-Tenant", "a%20b"),
        ("ce-flag", "true"),
        ("ce-count", "-3"),
        ("content-type", "text/plain"),
    ];
    assert_eq!(host.call("POST", "/events", &headers, "hello").await.status, 202);
    for record in host.take_records() {
        let mut headers = record.headers.clone();
        headers.retain(|(name, _)| name != "traceparent");
        headers.sort();
        let expected = [
            ("ce_count", "-3"),
            ("ce_dataschema", "http://example.com/1"),
            ("ce_flag", "true"),
            ("ce_id", "a"),
            ("ce_source", "/café"),
            ("ce_specversion", "1.0"),
            ("ce_subject", "s"),
            ("ce_tenant", "a b"),
            ("ce_time", "2026-01-31T14:00:00+02:00"),
            ("ce_type", "t"),
            ("content-type", "text/plain"),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!((record.topic, record.key.as_str(), record.text()), ("events", "a", "hello"));
    }
}

/// All SDKs but Python's send plain UTF-8, and older ones quote values.
#[tokio::test]
async fn headers_are_unquoted_and_percent_decoded_once() {
    let host = Host::new();
    for (sent, text) in [
        ("Größe", "Größe"),
        ("Größe €/a b%", "Größe €/a b%"),
        ("Gr%C3%B6%C3%9Fe%20%E2%82%AC/a%20b%25", "Größe €/a b%"),
        (r#""say \"hi\"""#, r#"say "hi""#),
        (r#""a%20\"b\"""#, r#"a "b""#),
        (r#"say "hi""#, r#"say "hi""#),
        ("%2525", "%25"),
    ] {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", sent),
            ("ce-source", sent),
            ("ce-type", sent),
            ("ce-subject", sent),
            ("ce-tenant", sent),
        ];
        let answer = host.call("POST", "/events", &headers, "1").await;
        assert_eq!(answer.status, 202, "{sent}: {:?}", answer.body);
        let record = host.take_record();
        for name in ["ce_id", "ce_source", "ce_type", "ce_subject", "ce_tenant"] {
            assert_eq!(record.header(name), Some(text), "{name}: {sent}");
        }
    }
    let headers = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    let mut request = http::Request::post("/events").body(axum::body::Body::from("1")).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    request.headers_mut().insert("ce-subject", http::HeaderValue::from_bytes(b"Gr\xf6\xdfe").unwrap());
    assert_eq!(host.send(request).await.pointers(422), ["ce-subject"]);
    assert_eq!(host.take_records(), []);
}

/// CloudEvents Kafka binding, section 3.1.
#[tokio::test]
async fn a_partitionkey_keys_the_records_of_other_types() {
    let host = Host::new();
    for (kind, key) in [("com.example.page", "p"), ("millrace.event.registered", "p"), ("millrace.order.placed", "101")]
    {
        let data = r#"{"user_id":"u","order_id":"101"}"#;
        let event = format!(
            r#"{{"specversion":"1.0","id":"1","source":"/s","type":"{kind}","partitionkey":"p","data":{data}}}"#
        );
        assert_eq!(host.post_as(STRUCTURED, "/events", event.clone()).await.status, 202);
        assert_eq!(host.post_as("application/x-ndjson", "/events", event).await.status, 202);
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/s"),
            ("ce-type", kind),
            ("ce-partitionkey", "p"),
        ];
        assert_eq!(host.call("POST", "/events", &headers, data).await.status, 202);
        let records = host.take_records();
        assert_eq!(records.len(), 3);
        for record in records {
            assert_eq!((record.key.as_str(), record.header("ce_partitionkey")), (key, Some("p")), "{kind}");
        }
    }
}

/// Four of five SDKs send JSON bytes as `data_base64`.
#[tokio::test]
async fn json_in_data_base64_makes_the_same_record_as_data() {
    let host = Host::new();
    let event =
        |data: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"millrace.order.placed",{data}}}"#);
    for data in [r#""data":{"order_id":"101"}"#, r#""data_base64":"eyJvcmRlcl9pZCI6IjEwMSJ9""#] {
        assert_eq!(host.post_as(STRUCTURED, "/events", event(data)).await.status, 202);
        let record = host.take_record();
        assert_eq!((record.topic, record.key.as_str(), record.text()), ("orders", "101", r#"{"order_id":"101"}"#));
        assert_eq!(record.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn null_is_data_in_both_modes() {
    let host = Host::new();
    for (kind, status) in [("com.example.page", 202), ("millrace.order.placed", 422)] {
        let event = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"{kind}","data":null}}"#);
        let headers = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", kind)];
        let structured = host.post_as(STRUCTURED, "/events", event).await;
        let binary = host.call("POST", "/events", &headers, "null").await;
        assert_eq!((structured.status.as_u16(), binary.status.as_u16()), (status, status), "{kind}");
        for record in host.take_records() {
            assert_eq!((record.text(), record.key.as_str()), ("null", "1"));
        }
    }
}

/// The usual "never" (year 9999), and more digits than a clock has.
#[tokio::test]
async fn rfc_3339_times_are_kept_as_sent() {
    let host = Host::new();
    let event =
        |time: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"{time}","data":1}}"#);
    for time in ["9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-01-31T12:00:00.123456789012345+23:59"] {
        assert_eq!(host.post_as(STRUCTURED, "/events", event(time)).await.status, 202, "{time}");
        assert_eq!(host.take_record().header("ce_time"), Some(time));
    }
    for (time, reason) in [
        ("9999-12-31T23:59:59-00:01", "must be between the years 0000 and 9999 in UTC"),
        ("2026-01-31", "must be a time in RFC 3339"),
    ] {
        let problem = host.post_as(STRUCTURED, "/events", event(time)).await.problem(422);
        assert_eq!(problem["errors"][0]["detail"], reason, "{time}");
    }
}

#[tokio::test]
async fn headers_in_any_order_make_the_same_record() {
    let host = Host::new();
    let mut headers = [
        ("ce-zone", "b"),
        ("ce-specversion", "1.0"),
        ("ce-id", "a"),
        ("ce-area", "a"),
        ("ce-source", "/s"),
        ("ce-time", "2026-01-31T12:00:00Z"),
        ("ce-type", "t"),
    ];
    for _ in 0..headers.len() {
        headers.rotate_left(1);
        assert_eq!(host.call("POST", "/events", &headers, "{}").await.status, 202);
    }
    for mut record in host.take_records() {
        record.headers.retain(|(name, _)| name != "traceparent");
        let names: Vec<_> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        let expected =
            ["ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type", "ce_area", "ce_zone"];
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn binary_data_goes_to_the_topic_events() {
    let host = Host::new();
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"image/png","data_base64":"iVBORwD/"}"#;
    assert_eq!(host.post_as(STRUCTURED, "/events", event).await.status, 202);
    let record = host.take_record();
    assert_eq!((record.topic, record.value.as_slice()), ("events", &b"\x89PNG\x00\xff"[..]));
    assert_eq!(record.header("content-type"), Some("image/png"));
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
        ("content-type", "image/png"),
    ];
    assert_eq!(host.call("POST", "/events", &headers, &b"\x89PNG\x00\xff"[..]).await.status, 202);
    let binary = host.take_record();
    assert_eq!((binary.topic, binary.value, binary.key), (record.topic, record.value, record.key));
}

#[tokio::test]
async fn an_idempotency_key_replaces_a_single_events_id() {
    let host = Host::new();
    let event = r#"{"specversion":"1.0","id":"own","source":"/s","type":"t","data":1}"#;
    let headers = [("content-type", STRUCTURED), ("idempotency-key", "\"mine\"")];
    let answer = host.call("POST", "/events", &headers, event).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["id"]), (202, &"mine".into()));
    let record = host.take_record();
    assert_eq!((record.key.as_str(), record.header("ce_id")), ("mine", Some("mine")));
}

#[tokio::test]
async fn json_without_attributes_names_the_missing_headers() {
    let host = Host::new();
    for headers in [&[][..], &[("content-type", "application/json")], &[("content-type", "application/vnd.shop+json")]]
    {
        let answer = host.call("POST", "/events", headers, r#"{"order_id":"101"}"#).await;
        assert_eq!(answer.pointers(422), ["ce-id", "ce-source", "ce-type", "ce-specversion"]);
    }
    let answer = host.call("POST", "/events", &[("ce-id", "1")], "").await;
    assert_eq!(answer.pointers(422), ["", "ce-source", "ce-type", "ce-specversion"]);
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn invalid_attribute_headers_are_named() {
    let good = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    let host = Host::new();
    for (name, value, pointer) in [
        ("ce-id", "2", "ce-id"),
        ("ce-tenant", "%FF", "ce-tenant"),
        ("ce-tenant", "a%0D%0Ax-injected: 1", "ce-tenant"),
        ("ce-my-tenant", "a", "ce-my-tenant"),
        ("ce-data", "a", "ce-data"),
        ("ce-time", "noon", "ce-time"),
        ("ce-subject", "", "ce-subject"),
        ("content-type", "nonsense", "content-type"),
    ] {
        let headers = [&good[..], &[(name, value)]].concat();
        assert_eq!(host.call("POST", "/events", &headers, "1").await.pointers(422), [pointer], "{name}: {value}");
    }
    assert_eq!(host.take_records(), []);
}
