//! The container's binary on the embedded broker: deliveries, metrics, a clean exit.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use http::StatusCode;
use millrace_broker::embedded::Embedded;
use millrace_domain::event::NOTIFICATION;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_store::{NotificationStatus, Store, sqlite_url};
use millrace_testkit::webhook::Answer;
use millrace_testkit::{WebhookReceiver, eventually};
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::setup::{config_file, route, webhook};

pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A notifier process. Killed on drop.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The status line, headers and body of a response; empty without one.
fn get(address: SocketAddr, path: &str) -> String {
    let request = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")?;
        let mut response = String::new();
        connection.read_to_string(&mut response)?;
        Ok(response)
    };
    request().unwrap_or_default()
}

pub(crate) async fn produce(producer: &Producer, id: &str, value: &str) {
    produce_for(producer, id, "12345", value).await;
}

async fn produce_for(producer: &Producer, id: &str, key: &str, value: &str) {
    let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(id) });
    let value = Some(value.as_bytes());
    let record =
        ProducerRecord { topic: NOTIFICATION.topic, partition: None, key: Some(key.as_bytes()), value, headers };
    producer.send(record).await.unwrap();
}

/// Starts a notifier on this broker: the process, its stdout, and its admin address.
pub(crate) async fn start(
    bootstrap_servers: &str,
    more: &[&str],
) -> (Running, Lines<BufReader<ChildStdout>>, SocketAddr) {
    start_with(bootstrap_servers, more, &[]).await
}

/// As [`start`], with environment variables.
pub(crate) async fn start_with(
    bootstrap_servers: &str,
    more: &[&str],
    variables: &[(&str, String)],
) -> (Running, Lines<BufReader<ChildStdout>>, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_millrace-notifier"))
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .args(["--kafka", bootstrap_servers, "--admin-listen", "127.0.0.1:0"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut logs = BufReader::new(child.stderr.take().unwrap());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let running = Running(child);
    let started = spawn_blocking(move || {
        let mut line = String::new();
        logs.read_line(&mut line).unwrap();
        // A full pipe would block the process.
        std::thread::spawn(move || std::io::copy(&mut logs, &mut std::io::sink()));
        serde_json::from_str::<Value>(&line).unwrap()
    });
    let admin: SocketAddr = started.await.unwrap()["admin"].as_str().unwrap().parse().unwrap();
    eventually(WAIT_TIMEOUT, "the notifier has joined its group", async || {
        get(admin, "/health").starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    (running, lines, admin)
}

impl Running {
    pub(crate) fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
    }

    pub(crate) async fn exit_code(&mut self, timeout: Duration) -> Option<i32> {
        eventually(timeout, "the notifier has exited", async || self.0.try_wait().unwrap()).await.code()
    }
}

pub(crate) fn producer(broker: &Embedded) -> Producer {
    Producer::new(&KafkaSettings::plaintext(broker.bootstrap_servers()), &ProducerSettings::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_becomes_a_line_and_a_signal_exits_with_0() {
    let broker = Embedded::start(&[("notifications", 1), ("notifications.dlq", 1)]).unwrap();
    let (mut running, mut lines, admin) = start(broker.bootstrap_servers(), &[]).await;
    let producer = producer(&broker);
    produce(&producer, "bad-1", r#"{"user_id": "12345"}"#).await;
    produce(&producer, "event-1", r#"{"user_id": "12345", "message": "Your order has shipped"}"#).await;

    let line = tokio::time::timeout(WAIT_TIMEOUT, spawn_blocking(move || lines.next().unwrap().unwrap()))
        .await
        .unwrap()
        .unwrap();
    assert!(line.ends_with("  12345  Your order has shipped  event-1"), "{line}");
    let expected = [
        r#"millrace_notifier_deliveries_total{destination="console",result="delivered"} 1"#,
        r#"millrace_notifier_attempt_duration_seconds_count{destination="console"} 1"#,
        r#"millrace_notifier_breaker_open{destination="console"} 0"#,
    ];
    eventually(WAIT_TIMEOUT, "the delivery is counted", async || {
        let metrics = get(admin, "/metrics");
        expected.iter().all(|line| metrics.lines().any(|found| found == *line)).then_some(())
    })
    .await;

    running.terminate();
    assert_eq!(running.exit_code(WAIT_TIMEOUT).await, Some(0));
}

/// What was not delivered is delivered after the restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_back_off() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let later = Answer::retry_after(StatusCode::SERVICE_UNAVAILABLE, "60");
    receiver.answer("/hook", [later, Answer::status(StatusCode::OK)]);
    let config = config_file(&(webhook("hook", &receiver.url("/hook")) + &route("hook")));
    let options = ["--allow-private-destinations", "--notifier-config", config.path().to_str().unwrap()];
    let broker = Embedded::start(&[("notifications", 1), ("notifications.dlq", 1)]).unwrap();

    let (mut running, _lines, _) = start(broker.bootstrap_servers(), &options).await;
    produce(&producer(&broker), "event-1", r#"{"user_id": "12345", "message": "hello"}"#).await;
    let arrived = async |count| {
        eventually(WAIT_TIMEOUT, "the webhook is called", async || {
            (receiver.received_at("/hook").len() == count).then_some(())
        })
        .await;
    };
    arrived(1).await;
    running.terminate();
    assert_eq!(running.exit_code(WAIT_TIMEOUT).await, Some(0));

    let (_running, _lines, _) = start(broker.bootstrap_servers(), &options).await;
    arrived(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_notification_is_found_as_accepted() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hook", [Answer::hang()]);
    let config = config_file(&(webhook("hook", &receiver.url("/hook")) + &route("hook")));
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("deliveries.db"));
    let config_path = config.path().to_str().unwrap();
    let options = ["--allow-private-destinations", "--notifier-config", config_path, "--database", &url];
    let broker = Embedded::start(&[("notifications", 1), ("notifications.dlq", 1)]).unwrap();

    let (_running, _lines, _) = start(broker.bootstrap_servers(), &options).await;
    for id in ["first", "second", "third"] {
        produce(&producer(&broker), id, r#"{"user_id": "12345", "message": "hello"}"#).await;
    }
    let store = Store::connect(&url).await.unwrap();
    for id in ["first", "second", "third"] {
        let found = async || store.notification(id).await.unwrap();
        let found = eventually(WAIT_TIMEOUT, "the notification is found", found).await;
        assert_eq!((found.status, found.deliveries.len()), (NotificationStatus::Accepted, 0));
    }
    assert_eq!(receiver.received_at("/hook").len(), 1);
}

/// Other producers may write records without keys. Within a partition a user's notifications stay in order, through
/// retries too.
#[tokio::test(flavor = "multi_thread")]
async fn a_users_notifications_without_keys_stay_in_order() {
    const EACH: usize = 20;
    let receiver = WebhookReceiver::start().await.unwrap();
    let refused = Answer::status(StatusCode::SERVICE_UNAVAILABLE).after(Duration::from_millis(200));
    receiver.answer("/hook", [refused, Answer::status(StatusCode::OK)]);
    let config = config_file(&(webhook("hook", &receiver.url("/hook")) + &route("hook")));
    let config_path = config.path().to_str().unwrap();
    let broker = Embedded::start(&[("notifications", 1), ("notifications.dlq", 1)]).unwrap();
    let producer = producer(&broker);
    for number in 0..2 * EACH {
        let value = format!(r#"{{"user_id": "user-{}", "message": "{number}"}}"#, number / EACH);
        let (value, headers) = (Some(value.as_bytes()), OwnedHeaders::new());
        let record = ProducerRecord { topic: NOTIFICATION.topic, partition: None, key: None, value, headers };
        producer.send(record).await.unwrap();
    }

    let options = ["--allow-private-destinations", "--notifier-config", config_path];
    let (mut running, _lines, _) = start(broker.bootstrap_servers(), &options).await;
    let delivered = eventually(WAIT_TIMEOUT, "all are delivered", async || {
        let requests = receiver.received_at("/hook");
        (requests.len() > 2 * EACH).then_some(requests)
    })
    .await;
    running.terminate();
    assert_eq!(running.exit_code(WAIT_TIMEOUT).await, Some(0));

    let ids = delivered.iter().map(|request| request.headers["webhook-id"].to_str().unwrap().to_owned());
    let offsets: Vec<usize> = ids.map(|id| id.strip_prefix("notifications-0-").unwrap().parse().unwrap()).collect();
    let (first, second): (Vec<_>, Vec<_>) = offsets.into_iter().partition(|&offset| offset < EACH);
    // The retried notification is either user's first one.
    for (user, mut of_user) in [first, second].into_iter().enumerate() {
        of_user.dedup();
        assert_eq!(of_user, (user * EACH..(user + 1) * EACH).collect::<Vec<_>>());
    }
}

/// A slow destination is not a failed one: its notifications are deferred, delivered once and in order, and others pass.
#[tokio::test(flavor = "multi_thread")]
async fn notifications_for_a_slow_destination_are_deferred() {
    const SLOW: usize = 300;
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/slow", [Answer::status(StatusCode::OK).after(Duration::from_millis(20))]);
    let slow = webhook("slow", &receiver.url("/slow")) + "limits.concurrency = 1\n";
    let users = "users = [\"user-0\", \"user-1\", \"user-2\"]\n";
    let all = webhook("all", &receiver.url("/all"));
    let config = config_file(&(slow + &all + &route("slow") + users + &route("all")));
    let config_path = config.path().to_str().unwrap();
    let options = ["--allow-private-destinations", "--max-in-flight", "100", "--notifier-config", config_path];
    let broker = Embedded::start(&[("notifications", 1), ("notifications.dlq", 1)]).unwrap();
    let producer = producer(&broker);
    let post = async |id: String, user: String| {
        let value = format!(r#"{{"user_id": "{user}", "message": "hello"}}"#);
        produce_for(&producer, &id, &user, &value).await;
    };
    for number in 0..SLOW {
        post(format!("{number}"), format!("user-{}", number % 3)).await;
    }
    post("last".to_owned(), "user-9".to_owned()).await;

    let (mut running, _lines, _) = start(broker.bootstrap_servers(), &options).await;
    let ids = |path: &str| -> Vec<String> {
        let requests = receiver.received_at(path);
        requests.iter().map(|request| request.headers["webhook-id"].to_str().unwrap().to_owned()).collect()
    };
    let before = eventually(WAIT_TIMEOUT, "the last one has passed the deferred ones", async || {
        ids("/all").contains(&"last".to_owned()).then(|| ids("/slow").len())
    });
    assert!(before.await < SLOW / 2, "the last one waited for the deferred ones");
    eventually(WAIT_TIMEOUT, "all are delivered", async || (ids("/slow").len() >= SLOW).then_some(())).await;
    running.terminate();
    assert_eq!(running.exit_code(WAIT_TIMEOUT).await, Some(0));

    let mut to_all = ids("/all");
    to_all.sort_by_key(|id| id.parse().unwrap_or(SLOW));
    let expected: Vec<_> = (0..SLOW).map(|number| number.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(to_all, expected, "each once, though its other route was deferred");
    for user in 0..3 {
        let numbers = ids("/slow").into_iter().map(|id| id.parse::<usize>().unwrap());
        let of_user: Vec<_> = numbers.filter(|number| number % 3 == user).collect();
        assert_eq!(of_user, (user..SLOW).step_by(3).collect::<Vec<_>>());
    }
}
