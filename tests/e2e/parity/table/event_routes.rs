//! Valid requests on the routes of single event types.

use crate::parity::case::{Case, JSON, gzip};

const FORM: &str = "application/x-www-form-urlencoded";

/// Largest value of a record, in bytes.
const LARGEST: usize = 262_144;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = notifications();
    cases.extend(registered());
    cases.extend(orders_and_logins());
    cases
}

fn notifications() -> Vec<Case> {
    let body = r#"{"user_id": "12345", "message": "Your parcel is on its way."}"#;
    let notify = |name, id: &str| Case::post(200, name, "/send-notification").id(id);
    let odd = concat!(
        "{\r\n\t\"x\": [1.10, 1e2, null],  \"user_id\":\"J\\u00fcrgen \\ud83d\\ude80\",",
        " \"message\": \"gr\u{fc}\u{df}e\\n\" }\n"
    );
    let frame = r#"{"user_id":"12345","message":""}"#.len();
    let largest = format!(r#"{{"user_id":"12345","message":"{}"}}"#, "z".repeat(LARGEST - frame));
    let two_members = [gzip(&body.as_bytes()[..20]), gzip(&body.as_bytes()[20..])].concat();
    vec![
        notify("a notification", "n-1").json(body),
        Case::post(200, "a notification by the alias", "/send_notification").id("n-2").json(body),
        Case::post(200, "a notification with a query", "/send-notification?a=1&a=%20").id("n-3").json(body),
        Case::post(200, "a notification without an id", "/send-notification").json(body),
        notify("a notification for a number", "n-4").json(r#"{"user_id": 12345, "message": ""}"#),
        notify("a notification with spaces, escapes and further fields", "n-5").json(odd),
        notify("a notification without a content type", "n-6").bytes(body),
        notify("a notification with a media type parameter", "n-7").body("Application/JSON; Charset=UTF-8", body),
        notify("a notification in gzip", "n-8").json(body).gzip(),
        notify("a notification in two members of gzip", "n-9").header("content-encoding", "x-gzip").json(two_members),
        notify("a notification in zstd", "n-10").json(body).zstd(),
        notify("a notification with coding identity", "n-11").header("content-encoding", "identity").json(body),
        notify("a quoted id", r#""n\"12\"\\""#).json(body),
        notify("an id with a comma", "n,13").json(body),
        notify("the longest id", &"k".repeat(255)).json(body),
        notify("a caller's trace", "n-14").traced().json(body),
        notify("an invalid trace", "n-15").header("traceparent", "00-0-0-01").json(body),
        notify("the largest value", "n-16").json(largest),
    ]
}

fn registered() -> Vec<Case> {
    let register = |name, id: &str| Case::post(200, name, "/register_event").id(id);
    let fixed = "name=Ann+%22A%22+Lee&city=K%C3%B6ln&tag=1&tag=2&empty&user_id=7&timestamp=2020-01-31T12:00:00Z";
    vec![
        register("keyed by key", "r-1").json(r#"{"event_id": "d", "id": "c", "user_id": "b", "key": "a"}"#),
        register("keyed by user_id", "r-2").json(r#"{"event_id": "d", "id": "c", "user_id": "b"}"#),
        register("keyed by id", "r-3").json(r#"{"event_id": "d", "id": "c"}"#),
        register("keyed by event_id", "r-4").json(r#"{"event_id": "d"}"#),
        register("keyed by the event's own id", "r-5").json(r#"{"page": "/checkout"}"#),
        register("invalid keys are skipped", "r-6").json(r#"{"key": null, "user_id": 1.5, "id": "", "event_id": -7}"#),
        register("a long integer as key", "r-7").json(r#"{"id": 123456789012345678901234567890123456789}"#),
        register("long integers elsewhere", "r-8").json(r#"{"key": "k", "n": [9007199254740993, -0, 1E+2, 0.10]}"#),
        register("a key beyond ASCII", "r-9").json(r#"{"key": "日本 é"}"#),
        register("an empty object", "r-10").json("{}"),
        Case::post(200, "registered without an id", "/register_event").json(r#"{"key": "a"}"#),
        register("a form", "r-11").body(FORM, fixed),
        register("a form with a timestamp", "r-12").body(FORM, "user_id=7&page=%2Fcheckout"),
        register("a form in gzip", "r-13").body(FORM, fixed).gzip(),
        register("a form in zstd", "r-14").body("application/x-www-form-urlencoded;charset=UTF-8", fixed).zstd(),
        register("an empty form", "r-15").body(FORM, ""),
    ]
}

fn orders_and_logins() -> Vec<Case> {
    let order = |name, id: &str| Case::post(202, name, "/orders").id(id);
    let login = |name, id: &str| Case::post(202, name, "/user-login").id(id);
    vec![
        order("an order", "o-1").json(r#"{"order_id": "101", "amount": 49.90}"#),
        order("an order by number", "o-2").json(r#"{"order_id": 101, "amount": "49.90"}"#),
        order("an order by a long number", "o-3").traced().json(r#"{"order_id": 98765432109876543210}"#),
        Case::post(202, "an order without an id", "/orders").json(r#"{"order_id": "102"}"#),
        login("a login at Unix seconds", "l-1")
            .json(r#"{"user_id": "12345", "device_type": "android", "locale": "DE", "timestamp": 1580472000}"#),
        login("a login at seconds in text", "l-2").json(r#"{"user_id": 12345, "timestamp": "1580472000"}"#),
        login("a login at a time in RFC 3339", "l-3")
            .body(JSON, r#"{"user_id": "a", "ip": "203.0.113.7", "timestamp": "2020-01-31T12:00:00+02:00"}"#)
            .zstd(),
    ]
}
