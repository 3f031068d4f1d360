//! Graceful stops under load, as in a deployment.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use millrace_broker::topics::TopicSpec;
use millrace_testkit::kafka::{self, Kafka, RawRecord};
use millrace_testkit::webhook::Answer;
use millrace_testkit::{WebhookReceiver, eventually};

use crate::running::start;
use crate::setup::{config_file, webhook};

/// Notifications every [`BURST_INTERVAL`]: more than the webhook takes, so that some are always in flight.
const BURST: usize = 500;
const BURST_INTERVAL: Duration = Duration::from_millis(500);

async fn produce(kafka: &Kafka, produced: &AtomicUsize, over: &AtomicBool) {
    let mut ticks = tokio::time::interval(BURST_INTERVAL);
    while !over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let first = produced.load(Ordering::Relaxed);
        let records = (first..first + BURST).map(|number| {
            let value = format!(r#"{{"user_id": "{}", "message": "hello"}}"#, number % USERS);
            RawRecord::new(value).key(format!("{}", number % USERS)).header("ce_id", format!("id-{number}"))
        });
        kafka.produce("notifications", records).await;
        produced.fetch_add(BURST, Ordering::Relaxed);
    }
}

/// How long ten thousand deliveries of 100 ms may take beside other tests.
const DELIVERED_TIMEOUT: Duration = Duration::from_secs(120);

const USERS: usize = 50;

/// Each exits with 0 in time.
#[tokio::test(flavor = "multi_thread")]
async fn five_stops_under_load_repeat_no_delivery() {
    stop_under_load(None).await;
}

/// One user's notifications are never done, so the low watermark stays where it is.
#[tokio::test(flavor = "multi_thread")]
async fn five_stops_repeat_no_delivery_behind_an_unreachable_user() {
    stop_under_load(Some(7)).await;
}

/// Without a database, which would hide repeated deliveries.
async fn stop_under_load(unreachable: Option<usize>) {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    let topics = ["notifications", "payments"];
    let topics =
        topics.into_iter().flat_map(|name| [TopicSpec::new(name, 3), TopicSpec::new(format!("{name}.dlq"), 1)]);
    kafka.create_topics(&topics.collect::<Vec<_>>()).await;
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [Answer::status(StatusCode::OK).after(Duration::from_millis(100))]);
    receiver.answer("/busy", [Answer::retry_after(StatusCode::SERVICE_UNAVAILABLE, "60")]);
    let (unreached, reached): (Vec<_>, Vec<_>) = (0..USERS).partition(|&user| Some(user) == unreachable);
    let route = |to: &str, users: &[usize]| {
        let users: Vec<_> = users.iter().map(ToString::to_string).collect();
        format!("[[routes]]\nusers = {users:?}\nto = [\"{to}\"]\n")
    };
    let mut config = webhook("hook", &receiver.url("/hook")) + &webhook("busy", &receiver.url("/busy"));
    config += &route("hook", &reached);
    if !unreached.is_empty() {
        config += &route("busy", &unreached);
    }
    let config = config_file(&config);
    let options = ["--allow-private-destinations", "--notifier-config", config.path().to_str().unwrap()];
    let arrived = || receiver.received_at("/hook");
    let until = async |count: usize| {
        let is_delivered = async || (arrived().len() >= count).then_some(());
        eventually(DELIVERED_TIMEOUT, &format!("{count} are delivered"), is_delivered).await;
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
    let deliverable = produced.load(Ordering::Relaxed) / USERS * reached.len();
    until(deliverable).await;
    running.terminate();
    assert_eq!(running.exit_code(Duration::from_secs(25)).await, Some(0));

    let now = Instant::now();
    let mut first_at = BTreeMap::new();
    let mut repeated = Vec::new();
    for request in arrived() {
        let id = request.headers["webhook-id"].to_str().unwrap().to_owned();
        if let Some(before) = first_at.insert(id.clone(), request.at) {
            repeated.push((id, now - before, now - request.at));
        }
    }

    assert!(repeated.is_empty(), "delivered twice: {repeated:?}");
    assert_eq!(first_at.len(), deliverable);
    assert_eq!(receiver.received_at("/busy").is_empty(), unreachable.is_none());
}
