//! Requests that write nothing, and unknown routes.

use reqwest::Method;

use crate::parity::case::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::get(200, "health", "/health"),
        Case::get(200, "health with the caller's request id", "/health").header("x-request-id", "mine-1"),
        Case::get(200, "health with an invalid request id", "/health").header("x-request-id", "not mine"),
        Case::new(200, "the head of health", Method::HEAD, "/health"),
        Case::get(200, "the API's description", "/openapi.json"),
        Case::get(200, "the state of the broker", "/get_status?verbose=1"),
        Case::get(404, "nothing there", "/nowhere"),
        Case::get(404, "the root", "/"),
        Case::post(404, "a route with a slash at its end", "/orders/").id("slash").json(r#"{"order_id": "1"}"#),
        Case::post(404, "a route in capitals", "/Orders").id("capitals").json(r#"{"order_id": "1"}"#),
        Case::get(405, "GET on a write route", "/send-notification"),
        Case::new(405, "HEAD on a write route", Method::HEAD, "/orders"),
        Case::new(405, "putting an order", Method::PUT, "/orders").id("put").json(r#"{"order_id": "1"}"#),
        Case::new(405, "deleting events", Method::DELETE, "/events"),
        Case::new(405, "asking for options", Method::OPTIONS, "/register_event"),
        Case::post(405, "POST on a read route", "/health").json("{}"),
    ]
}
