//! Requests that are refused as a whole: none of them may leave a record.

use crate::parity::case::Case;

/// One byte above the limit of 5 MiB, uncompressed.
const BOMB: usize = 5 * 1024 * 1024 + 1;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = not_json();
    cases.extend(codings_and_types());
    cases.extend(ids());
    cases.extend(too_large());
    cases.extend(faults());
    cases
}

fn not_json() -> Vec<Case> {
    let order = |name, body: &[u8]| Case::post(400, name, "/orders").id("refused").json(body);
    let deep = format!(r#"{{"order_id": "1", "x": {}{}}}"#, "[".repeat(128), "]".repeat(128));
    vec![
        order("no body", b""),
        order("not JSON", b"order_id=101"),
        order("JSON that breaks off", br#"{"order_id": "101""#),
        order("JSON with more behind it", br#"{"order_id": "101"} {}"#),
        order("a comma too many", br#"{"order_id": "101",}"#),
        order("a byte order mark", b"\xef\xbb\xbf{\"order_id\": \"101\"}"),
        order("not UTF-8", b"{\"order_id\": \"\xff\"}"),
        order("half a surrogate", br#"{"order_id": "\ud83d"}"#),
        order("a name twice", br#"{"order_id": "101", "order\u005fid": "102"}"#),
        order("129 levels", deep.as_bytes()),
        order("a number out of range", br#"{"order_id": "101", "amount": 1e999}"#),
    ]
}

fn codings_and_types() -> Vec<Case> {
    let body = r#"{"order_id": "101"}"#;
    let order = |status, name| Case::post(status, name, "/orders").id("refused");
    let event = |status, name| Case::post(status, name, "/events");
    vec![
        order(400, "a gzip that is none").header("content-encoding", "gzip").json(body),
        order(400, "a zstd that is none").header("content-encoding", "zstd").json(body),
        order(400, "an empty gzip").header("content-encoding", "gzip").json(""),
        order(415, "brotli").header("content-encoding", "br").json(body),
        order(415, "stacked codings").header("content-encoding", "gzip, zstd").json(body),
        order(415, "a coding sent twice").header("content-encoding", "gzip").json(body).gzip(),
        order(415, "an order in text").body("text/plain", body),
        order(415, "an order as a form").body("application/x-www-form-urlencoded", "order_id=101"),
        Case::post(415, "an event in XML", "/register_event").id("refused").body("application/xml", "<a/>"),
        Case::post(400, "a form that is not UTF-8", "/register_event")
            .id("refused")
            .body("application/x-www-form-urlencoded", "user_id=%ff"),
        event(415, "a CloudEvent in XML").body("application/cloudevents+xml", "<a/>"),
        event(415, "text without headers").body("text/plain", "text"),
    ]
}

fn ids() -> Vec<Case> {
    let order = |name, id: &str| Case::post(400, name, "/orders").id(id).json(r#"{"order_id": "101"}"#);
    vec![
        order("an empty id", ""),
        order("an empty quoted id", r#""""#),
        order("an id with a space", "a b"),
        order("an id with an unbalanced quote", r#""a"#),
        order("an id that is too long", &"k".repeat(256)),
    ]
}

fn too_large() -> Vec<Case> {
    let value = format!(r#"{{"order_id": "101", "x": "{}"}}"#, "z".repeat(262_144));
    let order = |name| Case::post(413, name, "/orders").id("refused");
    vec![
        order("a value that is too large").json(value.clone()),
        order("a value that is too large once decompressed").json(value).gzip(),
        order("a gzip bomb").json(vec![b' '; BOMB]).gzip(),
        order("a zstd bomb").json(vec![b' '; BOMB]).zstd(),
        Case::post(413, "a form that grows too large", "/register_event")
            .id("refused")
            .body("application/x-www-form-urlencoded", "a=%01&".repeat(60_000)),
    ]
}

fn faults() -> Vec<Case> {
    let refused = |name, path, body: &str| Case::post(422, name, path).id("refused").json(body);
    let event = |name, body: &str| Case::post(422, name, "/events").body("application/cloudevents+json", body);
    vec![
        refused("a list", "/orders", "[]"),
        refused("a lone number", "/register_event", "101"),
        refused("no order_id", "/orders", "{}"),
        refused("an order_id that is null", "/orders", r#"{"order_id": null}"#),
        refused("an order_id with a fraction", "/orders", r#"{"order_id": 1.0}"#),
        refused("an empty user_id and no message", "/send-notification", r#"{"user_id": ""}"#),
        refused("the alias refuses the same", "/send_notification", r#"{"user_id": true, "message": 7}"#),
        refused("a login at no time", "/user-login", r#"{"user_id": "1", "device_type": 7, "timestamp": "today"}"#),
        event("a CloudEvent of nothing", "{}"),
        event("a CloudEvent that is none", "7"),
        event(
            "a CloudEvent with faults",
            r#"{"specversion":"0.3","id":"","source":7,"type":"millrace.order.placed","Bad":1,"data":{"order_id":[]}}"#,
        ),
        event(
            "a CloudEvent with both kinds of data",
            r#"{"specversion":"1.0","id":"1","source":"/","type":"t","data":1,"data_base64":"AA=="}"#,
        ),
        event(
            "an order in base64",
            r#"{"specversion":"1.0","id":"1","source":"/","type":"millrace.order.placed","data_base64":"AA=="}"#,
        ),
        Case::post(422, "invalid headers in another order", "/events")
            .header("ce-type", "millrace.order.placed")
            .header("ce-time", "today")
            .header("ce-specversion", "0.3")
            .header("ce-bad_name", "1")
            .header("ce-id", "%ff")
            .json(r#"{"amount": 1}"#),
        Case::post(422, "headers without data", "/events")
            .header("ce-type", "t")
            .header("ce-specversion", "1.0")
            .header("ce-source", "/")
            .header("ce-id", "1")
            .json(""),
    ]
}
