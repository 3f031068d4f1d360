//! Routes and fallbacks with the same destination: a notification is sent to it once.

use http::StatusCode;
use millrace_consumer::Outcome;
use millrace_domain::DeadLetterClass;
use millrace_store::{DeliveryStatus, NotificationStatus, Store};
use millrace_testkit::webhook::Answer;
use millrace_testkit::{SmtpSink, WebhookReceiver, eventually};

use crate::recorded::store;
use crate::running::WAIT_TIMEOUT;
use crate::setup::{dead_letter, notifier, process, record, webhook};

/// A webhook on the path of its name, with these fallbacks.
fn hook(receiver: &WebhookReceiver, name: &str, fallback: &str) -> String {
    webhook(name, &receiver.url(&format!("/{name}"))) + &format!("fallback = {fallback}\n")
}

fn routes(to: &str) -> String {
    format!("[[routes]]\nto = {to}\n")
}

/// The recorded attempts: destination, attempt, whether delivered.
async fn recorded(store: &Store) -> Vec<(String, i32, bool)> {
    let deliveries = store.notification("event-1").await.unwrap().map_or_else(Vec::new, |stored| stored.deliveries);
    let attempts = deliveries.into_iter().map(|delivery| {
        let is_delivered = delivery.status == DeliveryStatus::Delivered;
        (delivery.destination, delivery.attempt, is_delivered)
    });
    let mut attempts: Vec<_> = attempts.collect();
    attempts.sort();
    attempts
}

#[tokio::test]
async fn a_fallback_with_a_route_of_its_own_gets_one_mail() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (sink, store) = (SmtpSink::start().await.unwrap(), store(&folder).await);
    receiver.answer("/hook", [Answer::status(StatusCode::NOT_FOUND)]);
    let mail = format!(
        "[destinations.mail]\ntype = \"smtp\"\nserver = \"smtp://{}\"\nfrom = \"a@example.com\"\n\
         to = \"{{user_id}}@example.com\"\n",
        sink.address()
    );
    let config = hook(&receiver, "hook", r#"["mail"]"#) + &mail + &routes(r#"["hook", "mail"]"#);
    let notifier = notifier(&config).recording_in(store.clone());

    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);

    assert_eq!(sink.mails().len(), 1);
    assert_eq!(recorded(&store).await, [("hook".to_owned(), 1, false), ("mail".to_owned(), 1, true)]);
    assert_eq!(store.notification("event-1").await.unwrap().unwrap().status, NotificationStatus::Delivered);
}

#[tokio::test]
async fn a_fallback_of_two_routes_is_sent_once() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/a", [Answer::status(StatusCode::NOT_FOUND)]);
    receiver.answer("/b", [Answer::status(StatusCode::GONE)]);
    let config = hook(&receiver, "a", r#"["last"]"#)
        + &hook(&receiver, "b", r#"["last"]"#)
        + &hook(&receiver, "last", "[]")
        + &routes(r#"["a", "b"]"#);

    assert_eq!(process(&notifier(&config), record("event-1", "12345", "hello")).await, Outcome::DONE);

    let counts = ["/a", "/b", "/last"].map(|path| receiver.received_at(path).len());
    assert_eq!(counts, [1, 1, 1]);
}

#[tokio::test]
async fn a_shared_destination_that_fails_has_its_attempts_once() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    let store = store(&folder).await;
    receiver.answer("/hook", [Answer::status(StatusCode::NOT_FOUND)]);
    receiver.answer("/last", [Answer::status(StatusCode::SERVICE_UNAVAILABLE)]);
    let config =
        hook(&receiver, "hook", r#"["last"]"#) + &hook(&receiver, "last", "[]") + &routes(r#"["hook", "last"]"#);
    let notifier = notifier(&config).recording_in(store.clone());

    let (class, reason) = dead_letter(process(&notifier, record("event-1", "12345", "hello")).await);

    assert_eq!(class, DeadLetterClass::Transient);
    assert_eq!(reason, "hook: answered 404 Not Found; last: answered 503 Service Unavailable");
    assert_eq!(receiver.received_at("/last").len(), 5);
    let attempts: Vec<_> = recorded(&store).await.into_iter().map(|(name, attempt, _)| (name, attempt)).collect();
    let expected = [("hook", 1), ("last", 1), ("last", 2), ("last", 3), ("last", 4), ("last", 5)];
    assert_eq!(attempts, expected.map(|(name, attempt)| (name.to_owned(), attempt)));
    assert_eq!(store.notification("event-1").await.unwrap().unwrap().status, NotificationStatus::Failed);
}

/// A delivery to the fallback on its own route does not end the route of the destination that still retries.
#[tokio::test]
async fn after_a_restart_each_route_resumes_and_none_repeats() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    let busy = Answer::retry_after(StatusCode::SERVICE_UNAVAILABLE, "60");
    receiver.answer("/hook", [busy, Answer::status(StatusCode::OK)]);
    let config =
        hook(&receiver, "hook", r#"["last"]"#) + &hook(&receiver, "last", "[]") + &routes(r#"["hook", "last"]"#);
    let store = store(&folder).await;
    let started = || notifier(&config).recording_in(store.clone());
    let first = [("hook".to_owned(), 1, false), ("last".to_owned(), 1, true)];
    let written =
        eventually(WAIT_TIMEOUT, "both are recorded", async || (recorded(&store).await == first).then_some(()));
    tokio::select! {
        () = written => {}
        outcome = async { process(&started(), record("event-1", "12345", "hello")).await } => {
            panic!("not interrupted: {outcome:?}")
        }
    }

    assert_eq!(process(&started(), record("event-1", "12345", "hello")).await, Outcome::DONE);

    assert_eq!(["/hook", "/last"].map(|path| receiver.received_at(path).len()), [2, 1]);
    let all = [("hook".to_owned(), 1, false), ("hook".to_owned(), 2, true), ("last".to_owned(), 1, true)];
    assert_eq!(recorded(&store).await, all);
}

/// The circuit breaker of `a` opens at once, so that its route is the first to reach `b`, with `c` as a fallback.
#[tokio::test]
async fn the_last_destination_of_a_route_gets_all_its_attempts() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let failing = Answer::status(StatusCode::SERVICE_UNAVAILABLE);
    receiver.answer("/a", [failing.clone()]);
    receiver.answer("/b", [Answer::status(StatusCode::OK), failing, Answer::status(StatusCode::OK)]);
    let config = hook(&receiver, "a", r#"["b", "c"]"#)
        + "limits.attempts = 1\nlimits.breaker_failures = 1\nlimits.breaker_cool_down = \"60s\"\n"
        + &hook(&receiver, "b", "[]")
        + "limits.breaker_failures = 1\nlimits.breaker_cool_down = \"50ms\"\n"
        + &hook(&receiver, "c", "[]")
        + &routes(r#"["a", "b"]"#);
    let notifier = notifier(&config);

    for id in ["event-1", "event-2"] {
        assert_eq!(process(&notifier, record(id, "12345", "hello")).await, Outcome::DONE);
    }

    assert_eq!(["/a", "/b", "/c"].map(|path| receiver.received_at(path).len()), [1, 3, 0]);
}
