//! Records of other producers, and records that are not notifications.

use millrace_consumer::Outcome;
use millrace_domain::DeadLetterClass;
use millrace_testkit::WebhookReceiver;
use serde_json::Value;

use crate::setup::{dead_letter, notifier, process, record, record_of, route, webhook};

#[tokio::test]
async fn a_record_without_headers_has_position_and_timestamp() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let notifier = notifier(&(webhook("hook", &receiver.url("/hook")) + &route("hook")));

    let outcome = process(&notifier, record_of(br#" {"user_id": 7, "message": "hi"} "#, None)).await;

    assert_eq!(outcome, Outcome::DONE);
    let requests = receiver.received();
    assert_eq!(requests[0].headers["webhook-id"], "notifications-3-42");
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(body["timestamp"], "2026-01-31T12:00:00Z");
    assert_eq!(body["type"], "millrace.notification.requested");
}

#[tokio::test]
async fn an_invalid_record_is_a_permanent_dead_letter() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let notifier = notifier(&(webhook("hook", &receiver.url("/hook")) + &route("hook")));
    for (value, expected) in [
        (&b"plain text"[..], "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not a notification"),
        (b"\"101\"", "not a notification"),
        (br#"{"user_id": "1"}"#, "/message"),
        (br#"{"message": "hi", "user_id": ""}"#, "/user_id"),
        (br#"{"message": 1, "user_id": "1"}"#, "/message"),
    ] {
        let (class, reason) = dead_letter(process(&notifier, record_of(value, None)).await);
        assert_eq!(class, DeadLetterClass::Permanent);
        assert!(reason.contains(expected), "{reason}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_notification_without_a_route_is_a_dead_letter() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let config = webhook("hook", &receiver.url("/hook")) + &route("hook") + "users = [\"12345\"]\n";

    let (class, reason) = dead_letter(process(&notifier(&config), record("event-1", "67890", "hello")).await);

    assert_eq!(class, DeadLetterClass::Permanent);
    assert_eq!(reason, r#"no route matches: user "67890", type "millrace.notification.requested""#);
}
