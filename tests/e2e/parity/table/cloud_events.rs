//! CloudEvents, single and in batches, most of them valid.

use crate::parity::case::{Case, JSON};

const ONE: &str = "application/cloudevents+json";
const MANY: &str = "application/cloudevents-batch+json";
const LINES: &str = "application/x-ndjson";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = structured();
    cases.extend(binary());
    cases.extend(batches());
    cases
}

/// An event of this id and type with further members.
fn event(id: &str, kind: &str, rest: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/shop","type":"{kind}",{rest}}}"#)
}

fn structured() -> Vec<Case> {
    let send = |name, event: String| Case::post(202, name, "/events").body(ONE, event);
    let attributes = concat!(
        r#""time":"2020-01-31T12:00:00.5+02:00","zone":"b","subject":"s","area":7,"flag":true,"none":null,"#,
        r#""data":{}"#
    );
    vec![
        send(
            "a notification",
            event("s-1", "millrace.notification.requested", r#""data":{"user_id":"1","message":"m"}"#),
        ),
        send("an order", event("s-2", "millrace.order.placed", r#""data": { "order_id" : 101 } "#)).traced(),
        send("a login", event("s-3", "millrace.login.seen", r#""data":{"user_id":"1"}"#)),
        send("a log record", event("s-4", "millrace.log.written", r#""data":{"service":"shop","message":"m"}"#)),
        send("a log record without a service", event("s-5", "millrace.log.written", r#""data":{"message":"m"}"#)),
        send("an event with a key", event("s-6", "com.example.page", r#""data":{"user_id":"1","n":9007199254740993}"#)),
        send("an event without a key", event("s-7", "com.example.page", r#""data":[1, 2.50]"#)),
        send(
            "an event of text",
            event("s-8", "com.example.page", r#""datacontenttype":"text/plain","data":"gr\u00fc\u00dfe""#),
        ),
        send(
            "an event of bytes",
            event("s-9", "com.example.page", r#""datacontenttype":"image/png","data_base64":"AP/+CQo=""#),
        ),
        send("attributes and extensions", event("s-10", "com.example.page", attributes)),
        send("an Idempotency-Key before the id", event("s-11", "com.example.page", r#""data":{}"#)).id("s-12"),
        send("an event in gzip", event("s-13", "com.example.page", r#""data":{}"#)).gzip(),
        Case::post(202, "a media type with a parameter", "/events")
            .body("application/CloudEvents+json; charset=utf-8", event("s-14", "a.b", r#""data":{}"#)),
    ]
}

fn binary() -> Vec<Case> {
    let send = |name, id: &str, kind: &str| {
        let case = Case::post(202, name, "/events").header("ce-type", kind).header("ce-specversion", "1.0");
        case.header("ce-source", "/shop").header("ce-id", id)
    };
    vec![
        send("an order by headers", "b-1", "millrace.order.placed").traced().json(r#"{ "order_id": "101" }"#),
        send("extensions in another order", "b-2", "com.example.page")
            .header("ce-zone", "b")
            .header("ce-time", "2020-01-31T12:00:00Z")
            .header("ce-subject", "caf%C3%A9 100%25")
            .header("ce-area", "a")
            .header("ce-middle", "m")
            .json(r#"{"id": 12345678901234567890}"#),
        send("an id that is percent-encoded", "b%2d3%20%22", "com.example.page").json("{}"),
        send("data without a content type", "b-4", "com.example.page").bytes("[1]"),
        send("data that is XML", "b-5", "com.example.page").body("text/xml", "<a>gr\u{fc}\u{df}e</a>"),
        send("data that is bytes", "b-6", "com.example.page").body("application/octet-stream", [0, 255, 10, 13]),
        send("data in zstd", "b-7", "com.example.page").body("application/vnd.page+json", r#"{"key": 1}"#).zstd(),
        send("data under an Idempotency-Key", "b-8", "com.example.page").id("b-9").json("{}"),
    ]
}

fn batches() -> Vec<Case> {
    let good = |id| event(id, "com.example.page", r#""data":{"user_id":"1"}"#);
    let order = |id| event(id, "millrace.order.placed", r#""data":{"order_id":"101"}"#);
    let bad = |id| event(id, "millrace.order.placed", r#""data":{"order_id":1.5}"#);
    let large = event("m-9", "com.example.page", &format!(r#""data":"{}""#, "z".repeat(262_143)));
    let lines = format!("{}\r\n\n  \n{}\nnot JSON\n{}", good("m-10"), order("m-11"), bad("m-12"));
    let not_utf_8 = [good("m-13").as_bytes(), b"\n{\"id\":\"\xff\"}\n\xef\xbb\xbf{}\n"].concat();
    vec![
        Case::post(202, "a batch", "/events").traced().body(MANY, format!("[{},\n {}]", good("m-1"), order("m-2"))),
        Case::post(202, "a batch in gzip", "/events").body(MANY, format!("[{}]", order("m-3"))).gzip(),
        Case::post(207, "a batch of valid and invalid events", "/events")
            .body(MANY, format!("[{},{},7,{{}},{}]", bad("m-4"), good("m-5"), order("m-6"))),
        Case::post(207, "a batch with an event that is too large", "/events")
            .body(MANY, format!("[{},{large}]", good("m-8"))),
        Case::post(422, "a batch of bad ones", "/events").body(MANY, format!("[{},null]", bad("m-7"))),
        Case::post(422, "an empty batch", "/events").body(MANY, "[]"),
        Case::post(422, "a batch that is not an array", "/events").body(MANY, good("m-14")),
        Case::post(400, "a batch that is not JSON", "/events").body(MANY, format!("[{},", good("m-15"))),
        Case::post(400, "a batch under an Idempotency-Key", "/events")
            .id("m")
            .body(MANY, format!("[{}]", good("m-16"))),
        Case::post(207, "lines", "/events").body(LINES, lines),
        Case::post(207, "lines that are not UTF-8", "/events").body(LINES, not_utf_8),
        Case::post(202, "lines in zstd", "/events").body(LINES, format!("{}\n", good("m-17"))).zstd(),
        Case::post(422, "no lines", "/events").body(LINES, "\n\n"),
        Case::post(422, "JSON without headers", "/events").body(JSON, r#"{"order_id": "101"}"#),
    ]
}
