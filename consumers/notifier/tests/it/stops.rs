//! Notifiers that are told to stop while they deliver, as a deployment does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use millrace_broker::topics::TopicSpec;
use millrace_testkit::kafka::{self, Kafka, RawRecord};
use millrace_testkit::webhook::Answer;
use millrace_testkit::{WebhookReceiver, eventually};

use crate::running::{BOUND, start};
use crate::setup::{config_file, webhook};

/// How many notifications come every [`PACE`]: more than the webhook takes, so that there is always something in flight.
const BURST: usize = 500;
const PACE: Duration = Duration::from_millis(500);

async fn produce(kafka: &Kafka, produced: &AtomicUsize, over: &AtomicBool) {
    let mut pace = tokio::time::interval(PACE);
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        let first = produced.load(Ordering::Relaxed);
        let records = (first..first + BURST).map(|number| {
            let value = format!(r#"{{"user_id": "{}", "message": "hello"}}"#, number % USERS);
            RawRecord::new(value).key(format!("{}", number % USERS)).header("ce_id", format!("id-{number}"))
        });
        kafka.produce("notifications", records).await;
        produced.fetch_add(BURST, Ordering::Relaxed);
    }
}

const USERS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn five_stops_under_load_end_in_time_with_0_and_nothing_is_delivered_again() {
    stop_under_load(None).await;
}

/// What stands before them in their partition is never done, so the committed offset stays where it is.
#[tokio::test(flavor = "multi_thread")]
async fn five_stops_repeat_nothing_of_others_where_a_user_cannot_be_reached() {
    stop_under_load(Some(7)).await;
}

/// Without a database: what it would hide is seen.
async fn stop_under_load(unreachable: Option<usize>) {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    let topics = ["notifications", "payments"];
    let topics =
        topics.into_iter().flat_map(|name| [TopicSpec::new(name, 3), TopicSpec::new(format!("{name}.dlq"), 1)]);
    kafka.create_topics(&topics.collect::<Vec<_>>()).await;
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [Answer::status(StatusCode::OK).after(Duration::from_millis(100))]);
    receiver.answer("/busy", [Answer::retry_after(StatusCode::SERVICE_UNAVAILABLE, "60")]);
    let (out, well): (Vec<_>, Vec<_>) = (0..USERS).partition(|&user| Some(user) == unreachable);
    let route = |to: &str, users: &[usize]| {
        let users: Vec<_> = users.iter().map(ToString::to_string).collect();
        format!("[[routes]]\nusers = {users:?}\nto = [\"{to}\"]\n")
    };
    let mut config = webhook("hook", &receiver.url("/hook")) + &webhook("busy", &receiver.url("/busy"));
    config += &route("hook", &well);
    if !out.is_empty() {
        config += &route("busy", &out);
    }
    let config = config_file(&config);
    let options = ["--allow-private-destinations", "--notifier-config", config.path().to_str().unwrap()];
    let arrived = || receiver.received_at("/hook");
    let until = async |count: usize| {
        eventually(BOUND, &format!("{count} are delivered"), async || (arrived().len() >= count).then_some(())).await;
    };

    let (produced, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let stopping = async {
        for _ in 0..5 {
            let (mut running, _lines, _) = start(kafka.bootstrap_servers(), &options).await;
            until(arrived().len() + 100).await;
            running.terminate();
            assert!(produced.load(Ordering::Relaxed) > arrived().len(), "there was load");
            assert_eq!(running.exit_code(Duration::from_secs(25)).await, Some(0));
        }
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(produce(&kafka, &produced, &over), stopping);
    let (mut running, _lines, _) = start(kafka.bootstrap_servers(), &options).await;
    let deliverable = produced.load(Ordering::Relaxed) / USERS * well.len();
    until(deliverable).await;
    running.terminate();
    assert_eq!(running.exit_code(Duration::from_secs(25)).await, Some(0));

    let begun = Instant::now();
    let mut first_at = BTreeMap::new();
    let mut again = Vec::new();
    for request in arrived() {
        let id = request.headers["webhook-id"].to_str().unwrap().to_owned();
        if let Some(before) = first_at.insert(id.clone(), request.at) {
            again.push((id, begun - before, begun - request.at));
        }
    }

    assert!(again.is_empty(), "delivered again, after: {again:?}");
    assert_eq!(first_at.len(), deliverable);
    assert_eq!(receiver.received_at("/busy").is_empty(), unreachable.is_none());
}
