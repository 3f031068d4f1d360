//! Lookup of stored events and notifications.

use serde_json::json;

use crate::host::{Host, STORED};

#[tokio::test]
async fn an_event_is_found_by_its_id_digit_for_digit() {
    let answer = Host::new().call("GET", &format!("/events/{STORED}"), &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.contains(r#""data":{"n": 12345678901234567890.50}"#), "{text}");
    let found = answer.json();
    assert_eq!(found["received_at"], "2026-01-31T12:00:00.004Z");
    let names: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["data", "id", "key", "offset", "partition", "received_at", "source", "time", "topic", "type"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_notification_is_found_with_its_attempts() {
    let answer = Host::new().call("GET", &format!("/notifications/{STORED}"), &[], "").await;
    assert_eq!(answer.status, 200);
    let deliveries = json!([{
        "destination": "hook", "attempt": 1, "status": "failed", "at": "2026-01-31T12:00:01Z", "error": "status 410",
    }]);
    let expected = json!({"id": STORED, "user_id": "12345", "status": "accepted", "deliveries": deliveries});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn an_id_of_any_characters_can_be_looked_up() {
    let host = Host::new();
    assert_eq!(host.call("GET", "/events/a%2Fb%20c", &[], "").await.json()["id"], "a/b c");
    host.call("GET", "/events/%ff", &[], "").await.problem(400);
}

#[tokio::test]
async fn an_id_that_is_not_stored_is_404() {
    let host = Host::new();
    for path in ["/events/other", "/notifications/other"] {
        let problem = host.call("GET", path, &[], "").await.problem(404);
        assert!(problem["detail"].as_str().unwrap().contains("with the id other"), "{problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_failed_or_slow_database_is_503() {
    let (bare, down, slow) = (Host::without_database(), Host::new(), Host::new());
    down.disconnect();
    slow.hang();
    for path in ["/events/a", "/notifications/a"] {
        for (host, detail) in [(&bare, "DATABASE_URL"), (&down, "does not answer"), (&slow, "in time")] {
            let answer = host.call("GET", path, &[], "").await;
            assert!(answer.header("retry-after").is_some());
            let problem = answer.problem(503);
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        }
    }
}

#[tokio::test]
async fn a_stored_events_route_refuses_post() {
    let answer = Host::new().call("POST", "/events/a", &[], "{}").await;
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")));
    answer.problem(405);
}
