//! Partition keys, and numbers digit for digit.

use crate::host::Host;

/// Valid values of a key field, and the resulting partition key.
const KEYS: [(&str, &str); 8] = [
    (r#""12345""#, "12345"),
    (r#"" ""#, " "),
    (r#""K\u00f6ln \ud83d\ude00""#, "Köln 😀"),
    ("7", "7"),
    ("-1", "-1"),
    ("0", "0"),
    ("-0", "-0"),
    ("123456789012345678901234567890", "123456789012345678901234567890"),
];

/// Invalid values of a key field.
const INVALID_KEYS: [&str; 10] = [r#""""#, "null", "1.0", "1e3", "1E0", "-0.0", "true", "false", "{}", "[1]"];

#[tokio::test]
async fn strings_and_integers_are_keys() {
    for (path, field) in [
        ("/send-notification", "user_id"),
        ("/orders", "order_id"),
        ("/user-login", "user_id"),
        ("/register_event", "key"),
    ] {
        for (json, key) in KEYS {
            let host = Host::new();
            let body = format!(r#"{{"message":"m","{field}":{json}}}"#);
            let answer = host.post(path, body.clone()).await;
            assert!(answer.status.is_success(), "{path} {body}: {:?}", answer.body);
            let record = host.take_record();
            assert_eq!((record.key.as_str(), record.text()), (key, body.as_str()));
        }
    }
}

#[tokio::test]
async fn other_values_of_a_key_field_are_422() {
    for (path, field) in [("/send-notification", "user_id"), ("/orders", "order_id"), ("/user-login", "user_id")] {
        let pointer = format!("/{field}");
        for json in INVALID_KEYS {
            let host = Host::new();
            let answer = host.post(path, format!(r#"{{"message":"m","{field}":{json}}}"#)).await;
            assert_eq!(answer.pointers(422), [pointer.as_str()], "{path} {json}");
            assert_eq!(host.take_records(), []);
        }
        assert_eq!(Host::new().post(path, r#"{"message":"m"}"#).await.pointers(422), [pointer.as_str()]);
    }
}

/// Two keys that look the same would be two entities.
#[tokio::test]
async fn invisible_characters_in_a_key_are_refused() {
    for (path, field) in [
        ("/send-notification", "user_id"),
        ("/send_notification", "user_id"),
        ("/orders", "order_id"),
        ("/user-login", "user_id"),
        ("/register_event", "key"),
        ("/register_event", "user_id"),
        ("/register_event", "event_id"),
    ] {
        for character in
            ["\u{200b}", "\u{feff}", "\u{ad}", "\u{202e}", "\u{e0001}", r"\u0000", r"\n", "\u{7f}", r"\u0085"]
        {
            let host = Host::new();
            let answer = host.post(path, format!(r#"{{"message":"m","{field}":"10{character}1"}}"#)).await;
            assert_eq!(answer.pointers(422), [format!("/{field}")], "{path} {character:?}");
            assert_eq!(host.take_records(), []);
        }
    }
    // All errors are reported at once, and only the key's field is checked.
    let host = Host::new();
    let answer = host.post("/send-notification", r#"{"user_id":"1\t"}"#).await;
    assert_eq!(answer.pointers(422), ["/message", "/user_id"]);
    let answer = host.post("/register_event", "{\"key\":\"1\",\"user_id\":\"\u{200b}\",\"note\":\"\u{200b}\"}").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn invisible_characters_in_an_events_keys_are_refused() {
    let host = Host::new();
    for (id, kind, data, pointer) in [
        ("1\u{200b}", "t", "1", "/id"),
        ("1", "t", "{\"user_id\":\"\u{feff}1\"}", "/data/user_id"),
        ("1", "millrace.order.placed", "{\"order_id\":\"\u{2060}1\"}", "/data/order_id"),
        ("1", "millrace.log.written", "{\"service\":\"web\u{200b}\"}", "/data/service"),
    ] {
        let event = format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"{kind}","data":{data}}}"#);
        let answer = host.post_as("application/cloudevents+json", "/events", event).await;
        assert_eq!(answer.pointers(422), [pointer]);
    }
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn a_registered_events_key_is_the_first_usable_field() {
    for (body, key) in [
        (r#"{"event_id":"4","id":"3","user_id":"2","key":"1"}"#, "1"),
        (r#"{"event_id":"4","id":"3","user_id":2,"key":null}"#, "2"),
        (r#"{"event_id":"4","id":3,"user_id":"","key":1.5}"#, "3"),
        (r#"{"event_id":"4","id":[],"user_id":{},"key":true}"#, "4"),
        (r#"{"event_id":false,"data":{"key":"1"}}"#, "the-id"),
        ("{}", "the-id"),
    ] {
        let host = Host::new();
        let answer = host.call("POST", "/register_event", &[("idempotency-key", "the-id")], body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(host.take_record().key, key, "{body}");
    }
}

#[tokio::test]
async fn numbers_reach_the_topic_digit_for_digit() {
    let data =
        r#"{"key":"k","n":[9007199254740993,-123456789012345678901234567890,0.10000000000000000000001,1E+2,1e-999]}"#;
    let host = Host::new();
    assert_eq!(host.post("/register_event", data).await.status, 200);
    let event = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{data}}}"#);
    assert_eq!(host.post_as("application/cloudevents+json", "/events", event).await.status, 202);
    let records = host.take_records();
    assert_eq!([records[0].text(), records[1].text()], [data, data]);
}
