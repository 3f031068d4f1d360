//! Webhooks: what a receiver sees, and how its responses are handled.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::StatusCode;
use millrace_consumer::Outcome;
use millrace_domain::DeadLetterClass;
use millrace_testkit::WebhookReceiver;
use millrace_testkit::webhook::Answer;

use crate::setup::{OLD_SECRET, SECRET, dead_letter, notifier, process, record, route, webhook};

fn config(receiver: &WebhookReceiver) -> String {
    webhook("hook", &receiver.url("/hook")) + &route("hook")
}

#[tokio::test]
async fn a_webhook_verifies_with_the_new_and_the_old_secret() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let notifier = notifier(&config(&receiver));

    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);

    let requests = receiver.received();
    let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
    for secret in [SECRET, OLD_SECRET] {
        standardwebhooks::Webhook::new(secret).unwrap().verify(&request.body, &request.headers).unwrap();
    }
    assert_eq!(request.method, "POST");
    assert_eq!(request.headers["webhook-id"], "event-1");
    assert_eq!(request.headers["content-type"], "application/json");
    let data = r#"{"user_id": "12345", "message": "hello", "n": 1.50}"#;
    let body =
        format!(r#"{{"type":"millrace.notification.requested","timestamp":"2026-01-31T12:00:00.5Z","data":{data}}}"#);
    assert_eq!(std::str::from_utf8(&request.body).unwrap(), body);
}

#[tokio::test]
async fn different_ids_have_different_webhook_ids() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let notifier = notifier(&config(&receiver));
    for id in ["x y", "x%20y"] {
        assert_eq!(process(&notifier, record(id, "12345", "hello")).await, Outcome::DONE);
    }
    let ids: Vec<_> = receiver.received().iter().map(|request| request.headers["webhook-id"].clone()).collect();
    assert_eq!(ids, ["x%20y", "x%2520y"]);
}

#[tokio::test]
async fn a_transient_failure_is_retried_under_the_same_id() {
    for status in [408, 429, 500, 503] {
        let receiver = WebhookReceiver::start().await.unwrap();
        let failing = Answer::status(StatusCode::from_u16(status).unwrap());
        receiver
            .answer("/hook", [failing.clone(), Answer::disconnect(), failing, Answer::status(StatusCode::ACCEPTED)]);

        let outcome = process(&notifier(&config(&receiver)), record("event-1", "12345", "hello")).await;

        assert_eq!(outcome, Outcome::DONE, "{status}");
        let requests = receiver.received();
        assert_eq!(requests.len(), 4, "{status}");
        assert!(requests.iter().all(|request| request.headers["webhook-id"] == "event-1"));
    }
}

#[tokio::test]
async fn after_five_attempts_it_is_a_transient_dead_letter() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [Answer::status(StatusCode::SERVICE_UNAVAILABLE)]);

    let outcome = process(&notifier(&config(&receiver)), record("event-1", "12345", "hello")).await;

    let (class, reason) = dead_letter(outcome);
    assert_eq!(class, DeadLetterClass::Transient);
    assert_eq!(reason, "hook: answered 503 Service Unavailable");
    assert_eq!(receiver.received().len(), 5);
}

#[tokio::test]
async fn a_refused_connection_is_transient_and_hides_the_url() {
    let gone = WebhookReceiver::start().await.unwrap().url("/secret-token");
    let notifier = notifier(&(webhook("hook", &gone) + &route("hook")));

    let (class, reason) = dead_letter(process(&notifier, record("event-1", "12345", "hello")).await);

    assert_eq!(class, DeadLetterClass::Transient);
    assert!(reason.starts_with("hook: ") && reason.contains("refused"), "{reason}");
    assert!(!reason.contains("secret-token"), "{reason}");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let limited = Answer::retry_after(StatusCode::TOO_MANY_REQUESTS, "1");
    receiver.answer("/hook", [limited, Answer::status(StatusCode::OK)]);

    assert_eq!(process(&notifier(&config(&receiver)), record("event-1", "12345", "hello")).await, Outcome::DONE);

    let requests = receiver.received();
    let waited = requests[1].at - requests[0].at;
    assert!(waited >= Duration::from_millis(990), "{waited:?}");
}

#[tokio::test]
async fn a_rejection_uses_the_fallback_at_once() {
    for status in [400, 401, 404, 410, 413] {
        let receiver = WebhookReceiver::start().await.unwrap();
        receiver.answer("/hook", [Answer::status(StatusCode::from_u16(status).unwrap())]);
        let config = webhook("hook", &receiver.url("/hook"))
            + "fallback = [\"second\", \"third\"]\n"
            + &webhook("second", &receiver.url("/second"))
            + &webhook("third", &receiver.url("/third"))
            + &route("hook");

        assert_eq!(process(&notifier(&config), record("event-1", "12345", "hello")).await, Outcome::DONE);

        let paths: Vec<_> = receiver.received().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, ["/hook", "/second"], "{status}");
    }
}

#[tokio::test]
async fn when_all_reject_the_dead_letter_is_permanent() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [Answer::status(StatusCode::NOT_FOUND)]);
    receiver.answer("/second", [Answer::status(StatusCode::FORBIDDEN)]);
    let config = webhook("hook", &receiver.url("/hook"))
        + "fallback = [\"second\"]\n"
        + &webhook("second", &receiver.url("/second"))
        + &route("hook");

    let (class, reason) = dead_letter(process(&notifier(&config), record("event-1", "12345", "hello")).await);

    assert_eq!(class, DeadLetterClass::Permanent);
    assert_eq!(reason, "hook: answered 404 Not Found; second: answered 403 Forbidden");
}

#[tokio::test]
async fn one_delivery_is_enough_and_all_routes_are_attempted() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/second", [Answer::status(StatusCode::NOT_FOUND)]);
    let config = webhook("hook", &receiver.url("/hook"))
        + &webhook("second", &receiver.url("/second"))
        + "[[routes]]\nto = [\"second\", \"hook\"]\n[[routes]]\nusers = [\"12345\"]\nto = [\"hook\"]\n";

    assert_eq!(process(&notifier(&config), record("event-1", "12345", "hello")).await, Outcome::DONE);

    assert_eq!(receiver.received_at("/hook").len(), 1, "once, though two routes have it");
    assert_eq!(receiver.received_at("/second").len(), 1);
}

#[tokio::test]
async fn an_attempt_at_a_hanging_receiver_times_out() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [Answer::hang()]);
    let config =
        webhook("hook", &receiver.url("/hook")) + "limits.timeout = \"200ms\"\nlimits.attempts = 2\n" + &route("hook");

    let start = Instant::now();
    let (class, reason) = dead_letter(process(&notifier(&config), record("event-1", "12345", "hello")).await);

    assert_eq!(class, DeadLetterClass::Transient);
    assert_eq!(reason, "hook: no answer within 200ms");
    assert_eq!(receiver.received().len(), 2);
    assert!(start.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn the_rate_limit_is_kept() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let config = webhook("hook", &receiver.url("/hook")) + "limits.rate = 20\nlimits.burst = 2\n" + &route("hook");
    let notifier = notifier(&config);

    let start = Instant::now();
    join_all((0..6).map(|number| process(&notifier, record(&format!("event-{number}"), "12345", "hello")))).await;

    let requests = receiver.received();
    assert_eq!(requests.len(), 6);
    let last = requests.last().unwrap().at - start;
    assert!(last >= Duration::from_millis(195), "two at once and four at 50 ms: {last:?}");
}

#[tokio::test]
async fn text_for_slack_is_escaped() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let config = format!("[destinations.ops]\ntype = \"slack\"\nurl = \"{}\"\n{}", receiver.url("/s"), route("ops"));

    assert_eq!(process(&notifier(&config), record("event-1", "12345", "<!here> & there")).await, Outcome::DONE);

    let body: serde_json::Value = serde_json::from_slice(&receiver.received()[0].body).unwrap();
    assert_eq!(body["text"], "*12345*: &lt;!here&gt; &amp; there");
}
