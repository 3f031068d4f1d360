//! Isolation: a slow or failing destination delays no other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::StatusCode;
use millrace_consumer::Outcome;
use millrace_testkit::webhook::{Answer, Received};
use millrace_testkit::{WebhookReceiver, eventually};

use crate::setup::{notifier, process, record, route, webhook};

const USERS: usize = 20;
const EACH: usize = 10;

/// The webhook ids that a path received, in order.
fn ids(requests: &[Received]) -> Vec<String> {
    requests.iter().map(|request| request.headers["webhook-id"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn hanging_and_dead_webhooks_delay_no_other_destination() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hanging", [Answer::hang()]);
    receiver.answer("/healthy", [Answer::status(StatusCode::OK).after(Duration::from_millis(20))]);
    let dead = WebhookReceiver::start().await.unwrap().url("/dead");
    let users = |rest: usize| {
        let names: Vec<_> = (0..USERS).filter(|user| user % 4 == rest).map(|user| format!("\"user-{user}\"")).collect();
        format!("users = [{}]\n", names.join(", "))
    };
    let config = webhook("healthy", &receiver.url("/healthy"))
        + &webhook("hanging", &receiver.url("/hanging"))
        + &webhook("dead", &dead)
        + &route("hanging")
        + &users(0)
        + &route("dead")
        + &users(1)
        + &route("healthy")
        + &users(2)
        + &route("healthy")
        + &users(3);
    let notifier = notifier(&config);

    // Like the consumer runtime: one user's notifications in order, users concurrently.
    let start = Instant::now();
    let user = async |user: usize| {
        for number in 0..EACH {
            let record = record(&format!("{user}-{number}"), &format!("user-{user}"), "hello");
            process(&notifier, record).await;
        }
    };
    let all = join_all((0..USERS).map(user));
    let expected = USERS / 2 * EACH;
    let healthy = eventually(Duration::from_secs(30), "all healthy deliveries arrived", async || {
        let requests = receiver.received_at("/healthy");
        (requests.len() == expected).then_some(requests)
    });
    let healthy = tokio::select! {
        requests = healthy => requests,
        _ = all => receiver.received_at("/healthy"),
    };

    let mut latencies: Vec<_> = healthy.iter().map(|request| request.at - start).collect();
    latencies.sort_unstable();
    assert_eq!(latencies.len(), expected);
    let p99 = latencies[expected * 99 / 100];
    assert!(p99 < Duration::from_secs(2), "p99 is {p99:?}");
    assert!(!receiver.received_at("/hanging").is_empty(), "the hanging destination was not attempted");

    let mut next: HashMap<String, usize> = HashMap::new();
    for id in ids(&healthy) {
        let (user, number) = id.split_once('-').unwrap();
        let expected = next.entry(user.to_owned()).or_default();
        assert_eq!(number.parse::<usize>().unwrap(), *expected, "user {user} is out of order");
        *expected += 1;
    }
}

#[tokio::test]
async fn an_open_circuit_breaker_probes_after_the_cool_down() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [Answer::status(StatusCode::BAD_GATEWAY)]);
    let config = webhook("hook", &receiver.url("/hook"))
        + "limits.attempts = 1\nlimits.breaker_failures = 3\nlimits.breaker_cool_down = \"500ms\"\nfallback = [\"second\"]\n"
        + &webhook("second", &receiver.url("/second"))
        + &route("hook");
    let notifier = notifier(&config);
    let send = async |number: usize| process(&notifier, record(&format!("event-{number}"), "12345", "hello")).await;

    for number in 0..10 {
        assert_eq!(send(number).await, Outcome::DONE);
    }
    assert_eq!(ids(&receiver.received_at("/hook")), ["event-0", "event-1", "event-2"]);
    assert_eq!(receiver.received_at("/second").len(), 10);

    receiver.answer("/hook", [Answer::status(StatusCode::OK)]);
    let back = eventually(Duration::from_secs(10), "a probe succeeded", async || {
        send(10).await;
        receiver.received_at("/hook").get(3).cloned()
    });
    let opened = receiver.received_at("/hook")[2].at;
    assert!(back.await.at - opened >= Duration::from_millis(490));
    send(11).await;
    assert_eq!(ids(&receiver.received_at("/hook")).last().unwrap(), "event-11", "closed again");
}

#[tokio::test]
async fn a_full_queue_uses_the_fallback_and_else_waits() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/slow", [Answer::status(StatusCode::OK).after(Duration::from_millis(50))]);
    let limits = "limits.queue = 2\nlimits.concurrency = 1\n";
    let slow = webhook("slow", &receiver.url("/slow")) + limits;
    let send_six = async |config: &str| {
        let notifier = notifier(config);
        let sent = (0..6).map(|number| {
            let record = record(&format!("event-{number}"), &format!("user-{number}"), "hello");
            process(&notifier, record)
        });
        assert!(join_all(sent).await.iter().all(|outcome| *outcome == Outcome::DONE));
    };

    let second = webhook("second", &receiver.url("/second"));
    send_six(&(slow.clone() + "fallback = [\"second\"]\n" + &second + &route("slow"))).await;
    assert_eq!((receiver.received_at("/slow").len(), receiver.received_at("/second").len()), (2, 4));

    send_six(&(slow + &route("slow"))).await;
    assert_eq!(receiver.received_at("/slow").len(), 2 + 6);
}
