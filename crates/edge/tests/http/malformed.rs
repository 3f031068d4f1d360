//! Malformed bodies: each has its status and its errors' pointers, and none reaches a topic.

use crate::host::Host;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const EVENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// Not JSON by RFC 8259, or beyond the edge's limits: 400 on every JSON route.
const INVALID_JSON: [&[u8]; 48] = [
    b"",
    b" \r\n\t",
    b"{",
    b"}",
    b"[",
    b"\"",
    b"nul",
    b"True",
    b"undefined",
    b"NaN",
    b"Infinity",
    b"-",
    b"+1",
    b".5",
    b"1.",
    b"1e",
    b"1e+",
    b"01",
    b"-01",
    b"0x10",
    b"1_000",
    b"1e999",
    b"-1e999",
    b"{}{}",
    b"{} x",
    b"{}\0",
    b"{,}",
    b"{\"a\"}",
    b"{\"a\":}",
    b"{\"a\" 1}",
    b"{\"a\":1,}",
    b"{\"a\":1 \"b\":2}",
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b"{\"a\":1,\"a\":2}",
    b"{\"a\":1,\"\\u0061\":2}",
    b"{\"a\":{\"b\":1,\"b\":2}}",
    b"{\"a\":[1,]}",
    b"{\"a\":[1 2]}",
    b"{\"a\":\"\n\"}",
    b"{\"a\":\"\\x41\"}",
    b"{\"a\":\"\\u12\"}",
    b"{\"a\":\"\\ud800\"}",
    b"{\"a\":\"\xff\"}",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b"// a comment\n{}",
];

/// Path, media type and body; the status, and the pointers of its errors.
type WrongShape = (&'static str, &'static str, &'static [u8], u16, &'static [&'static str]);

/// JSON, but not of the route's shape.
const WRONG_SHAPES: [WrongShape; 62] = [
    ("/send-notification", JSON, b"null", 422, &[""]),
    ("/send-notification", JSON, b"true", 422, &[""]),
    ("/send-notification", JSON, b"1", 422, &[""]),
    ("/send-notification", JSON, b"\"text\"", 422, &[""]),
    ("/send-notification", JSON, b"[]", 422, &[""]),
    ("/send-notification", JSON, b"[{\"user_id\":\"1\",\"message\":\"m\"}]", 422, &[""]),
    ("/send-notification", JSON, b"{}", 422, &["/user_id", "/message"]),
    ("/send-notification", JSON, b"{\"user_id\":\"1\"}", 422, &["/message"]),
    ("/send-notification", JSON, b"{\"message\":\"m\"}", 422, &["/user_id"]),
    ("/send-notification", JSON, b"{\"User_Id\":\"1\",\"message\":\"m\"}", 422, &["/user_id"]),
    ("/send-notification", JSON, b"{\"user_id\":\"\",\"message\":\"m\"}", 422, &["/user_id"]),
    ("/send-notification", JSON, b"{\"user_id\":1.5,\"message\":2}", 422, &["/user_id", "/message"]),
    ("/send-notification", JSON, b"{\"user_id\":\"1\",\"message\":null}", 422, &["/message"]),
    ("/send-notification", JSON, b"{\"user_id\":\"1\",\"message\":true}", 422, &["/message"]),
    ("/send-notification", JSON, b"{\"user_id\":\"1\",\"message\":[\"m\"]}", 422, &["/message"]),
    ("/send-notification", JSON, b"{\"user_id\":\"1\",\"message\":{\"text\":\"m\"}}", 422, &["/message"]),
    ("/send-notification", FORM, b"user_id=1&message=m", 415, &[]),
    ("/send-notification", "text/plain", b"{\"user_id\":\"1\",\"message\":\"m\"}", 415, &[]),
    ("/send_notification", JSON, b"{}", 422, &["/user_id", "/message"]),
    ("/register_event", JSON, b"[]", 422, &[""]),
    ("/register_event", JSON, b"null", 422, &[""]),
    ("/register_event", JSON, b"\"a=1\"", 422, &[""]),
    ("/register_event", FORM, b"a=%ff", 400, &[]),
    ("/register_event", FORM, b"a=\xc3\x28", 400, &[]),
    ("/register_event", FORM, b"%ed%a0%80=1", 400, &[]),
    ("/register_event", "multipart/form-data; boundary=x", b"--x--", 415, &[]),
    ("/orders", JSON, b"[101]", 422, &[""]),
    ("/orders", JSON, b"101", 422, &[""]),
    ("/orders", JSON, b"{}", 422, &["/order_id"]),
    ("/orders", JSON, b"{\"order_id\":null,\"amount\":\"a lot\"}", 422, &["/order_id", "/amount"]),
    ("/orders", JSON, b"{\"order_id\":\"1\",\"amount\":true}", 422, &["/amount"]),
    ("/orders", JSON, b"{\"order_id\":\"1\",\"amount\":\"NaN\"}", 422, &["/amount"]),
    ("/orders", FORM, b"order_id=1", 415, &[]),
    ("/user-login", JSON, b"{}", 422, &["/user_id"]),
    ("/user-login", JSON, b"{\"user_id\":\"1\",\"device_type\":1,\"ip\":[],\"locale\":{}}", 422, &["/device_type", "/ip", "/locale"]),
    ("/user-login", JSON, b"{\"user_id\":\"1\",\"timestamp\":\"noon\"}", 422, &["/timestamp"]),
    ("/user-login", JSON, b"{\"user_id\":\"1\",\"timestamp\":-1}", 422, &["/timestamp"]),
    ("/user-login", JSON, b"{\"user_id\":\"1\",\"timestamp\":1769860800000}", 422, &["/timestamp"]),
    ("/user-login", JSON, b"{\"user_id\":\"1\",\"timestamp\":true}", 422, &["/timestamp"]),
    ("/user-login", JSON, b"{\"user_id\":\"1\",\"timestamp\":\"2026-01-31\"}", 422, &["/timestamp"]),
    ("/user-login", JSON, b"{\"user_id\":\"1\",\"timestamp\":\"2026-02-30T00:00:00Z\"}", 422, &["/timestamp"]),
    ("/user-login", FORM, b"user_id=1", 415, &[]),
    ("/events", JSON, b"{\"order_id\":\"101\"}", 422, &["ce-id", "ce-source", "ce-type", "ce-specversion"]),
    ("/events", FORM, b"order_id=101", 415, &[]),
    ("/events", "text/plain", b"text", 415, &[]),
    ("/events", "application/cloudevents+xml", b"<event/>", 415, &[]),
    ("/events", EVENT, b"[]", 422, &[""]),
    ("/events", EVENT, b"null", 422, &[""]),
    ("/events", EVENT, b"{}", 422, &["/data", "/id", "/source", "/type", "/specversion"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}", 422, &["/data"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"millrace.order.placed\",\"data\":null}", 422, &["/data"]),
    ("/events", EVENT, b"{\"specversion\":\"0.3\",\"id\":1,\"source\":\"\",\"type\":null,\"data\":1}", 422, &["/specversion", "/id", "/source", "/type"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"time\":\"2026\",\"data\":1}", 422, &["/time"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"a\\r\\nb\",\"source\":\"/s\",\"type\":\"t\",\"data\":1}", 422, &["/id"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"a/b~c\":\"x\",\"data\":1}", 422, &["/a~1b~0c"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":1,\"data_base64\":\"AA==\"}", 422, &["/data_base64"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data_base64\":\"A\"}", 422, &["/data_base64"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data_base64\":\"\"}", 422, &["/data_base64"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"millrace.order.placed\",\"data_base64\":\"e30=\"}", 422, &["/data_base64"]),
    ("/events", EVENT, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"millrace.notification.requested\",\"data\":{\"user_id\":[]}}", 422, &["/data/user_id", "/data/message"]),
    ("/events", BATCH, b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":1}", 422, &[""]),
    ("/events", BATCH, b"[{}", 400, &[]),
];

#[tokio::test]
async fn invalid_json_is_400_on_every_json_route() {
    let deep = [vec![b'['; 129], vec![b']'; 129]].concat();
    let bodies = INVALID_JSON.iter().copied().chain([deep.as_slice()]);
    let host = Host::new();
    for body in bodies {
        for path in ["/send-notification", "/send_notification", "/register_event", "/orders", "/user-login"] {
            let problem = host.post_as(JSON, path, body.to_vec()).await.problem(400);
            assert!(problem["detail"].as_str().unwrap().starts_with("not JSON: "), "{problem}");
            assert!(problem.get("errors").is_none(), "{problem}");
        }
        for media_type in [EVENT, BATCH] {
            host.post_as(media_type, "/events", body.to_vec()).await.problem(400);
        }
    }
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn a_wrong_shape_is_named_field_by_field() {
    let host = Host::new();
    for (path, media_type, body, status, at) in WRONG_SHAPES {
        let answer = host.post_as(media_type, path, body).await;
        let text = String::from_utf8_lossy(body);
        assert_eq!(answer.status, status, "{path} {media_type} {text}: {:?}", answer.body);
        assert_eq!(answer.pointers(status), at, "{path} {media_type} {text}");
    }
    assert_eq!(host.take_records(), []);
}

#[tokio::test]
async fn nesting_of_128_levels_is_accepted() {
    let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(127), "]".repeat(127));
    let host = Host::new();
    assert_eq!(host.post("/register_event", nested.clone()).await.status, 200);
    assert_eq!(host.take_record().text(), nested);
    host.post("/register_event", format!("[{nested}]")).await.problem(400);
}
