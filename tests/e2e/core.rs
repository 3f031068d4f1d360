//! `millrace dev` end to end: events are stored, orders paid, logins aggregated.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use millrace_testkit::kafka::{self, Isolation};
use millrace_testkit::wait::eventually;
use millrace_testkit::{Postgres, WebhookReceiver};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{client, found, post, serving};
use crate::program::{self, Program, free_address};

const BOUND: Duration = Duration::from_secs(30);

async fn dev(data_dir: &Path, more: &[&str]) -> (Program, String) {
    let address = free_address();
    let data_dir = data_dir.display().to_string();
    let args = [&["dev", "--listen", &address, "--data-dir", &data_dir], more].concat();
    let mut program = Program::start("millrace", &args, &[]);
    serving(&mut program, &client(), &address).await;
    (program, format!("http://{address}"))
}

/// Another body with the same key is a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_idempotency_key_is_one_row_and_one_delivery() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    let folder = tempfile::tempdir().unwrap();
    let receiver = WebhookReceiver::start().await.unwrap();
    let config = folder.path().join("notifier.toml");
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let url = receiver.url("/hook");
    let text = format!(
        "[destinations.hook]\ntype = \"webhook\"\nurl = \"{url}\"\nsecrets = [\"{secret}\"]\n[[routes]]\nto = [\"hook\"]\n"
    );
    std::fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    let more = ["--kafka", kafka.bootstrap_servers(), "--database", database.url(), "--notifier-config", &config];
    let (mut program, edge) = dev(folder.path(), &more).await;
    let http = client();

    let (event, notification) = (json!({"user_id": "7", "page": "/"}), json!({"user_id": "7", "message": "once"}));
    let events = format!("{edge}/register_event");
    let notifications = format!("{edge}/send-notification");
    for status in join_all((0..50).map(|_| post(&http, &events, "event-1", &event))).await {
        assert_eq!(status, StatusCode::OK);
    }
    for status in join_all((0..50).map(|_| post(&http, &notifications, "notification-1", &notification))).await {
        assert_eq!(status, StatusCode::OK);
    }
    let stored = found(&http, &format!("{edge}/events/event-1"), |_| true).await;
    assert_eq!(stored["data"], event);
    let delivered = |found: &Value| found["status"] == "delivered";
    let notified = found(&http, &format!("{edge}/notifications/notification-1"), delivered).await;
    assert_eq!(notified["deliveries"].as_array().map(Vec::len), Some(1), "{notified}");

    // With the id of an event, and with that of a notification.
    for id in ["event-1", "notification-1"] {
        post(&http, &events, id, &json!({"user_id": "7", "page": "/other"})).await;
        post(&http, &notifications, id, &json!({"user_id": "7", "message": "twice"})).await;
    }
    for topic in ["events.dlq", "notifications.dlq"] {
        let dead_letters = eventually(BOUND, "the other bodies are dead-lettered", async || {
            Some(kafka.read_all(topic, Isolation::Committed).await).filter(|dead_letters| dead_letters.len() >= 2)
        })
        .await;
        let reasons: Vec<_> = dead_letters.iter().map(|dead_letter| dead_letter.header("dlq.error.reason")).collect();
        assert_eq!(reasons, [Some("idempotency_conflict"); 2], "{topic}");
    }
    // All fifty records are processed: the conflicts follow them in the same partitions.
    assert_eq!(receiver.received().len(), 1);
    assert!(program.terminate(BOUND).await.success(), "{}", program.stderr());
}

/// The sorted output lines of `millrace order` for these lines, and its exit code.
fn order(data_dir: &Path, lines: &str) -> (Vec<String>, Option<i32>) {
    let mut child = Command::new(program::path("millrace"))
        .args(["order", "--timeout", "20s", "--data-dir"])
        .arg(data_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let mut output_lines: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    output_lines.sort();
    (output_lines, output.status.code())
}

/// Orders are entered with `millrace order`; payments are notified.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_paid_and_logins_become_insights() {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, edge) = dev(folder.path(), &["--batch-age", "1s"]).await;
    let http = client();

    let data_dir = folder.path().to_owned();
    let lines = "101\n{\"order_id\": 102, \"amount\": 99999}\n\"103\"\n";
    let (output, code) = tokio::task::spawn_blocking(move || order(&data_dir, lines)).await.unwrap();
    assert_eq!(code, Some(0), "{output:?}");
    let words: Vec<Vec<_>> = output.iter().map(|line| line.split(' ').collect()).collect();
    let ends: Vec<_> = words.iter().map(|words| (words[0], words[1])).collect();
    assert_eq!(ends, [("101", "paid"), ("102", "declined"), ("103", "paid")]);
    let payment = found(&http, &format!("{edge}/events/{}", words[0][2]), |_| true).await;
    assert_eq!((&payment["topic"], &payment["data"]["order_id"]), (&json!("payments"), &json!("101")));
    let delivered = |found: &Value| found["status"] == "delivered";
    found(&http, &format!("{edge}/notifications/{}", words[0][2]), delivered).await;
    eventually(BOUND, "the payments are on the terminal", async || {
        let lines = program.stdout();
        let shows = |text: &str| lines.iter().any(|line| line.contains(text));
        (shows("Payment success for order 101") && shows("Payment declined for order 102")).then_some(())
    })
    .await;

    for user in ["ann", "ann", "bob"] {
        let login = json!({"user_id": user, "device_type": "iOS", "locale": "DE"});
        let id = Uuid::now_v7().to_string();
        assert_eq!(post(&http, &format!("{edge}/user-login"), &id, &login).await, StatusCode::ACCEPTED);
    }
    let insights = eventually(BOUND, "the insights are files", async || {
        let files = std::fs::read_dir(folder.path().join("insights")).ok()?;
        let read = |file: std::io::Result<std::fs::DirEntry>| -> Value {
            serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap()
        };
        let insights: Vec<Value> = files.filter(is_complete).map(read).collect();
        let logins: u64 = insights.iter().filter_map(|insight| insight["batch_size"].as_u64()).sum();
        (logins == 3).then_some(insights)
    })
    .await;
    let count =
        |name: &str, of: &str| -> u64 { insights.iter().filter_map(|insight| insight[name][of].as_u64()).sum() };
    assert_eq!((count("device_type_aggregation", "iOS"), count("top_5_users", "ann")), (3, 2));
    assert!(program.terminate(BOUND).await.success(), "{}", program.stderr());
}

/// Whether a file is complete: it is written under a temporary name.
fn is_complete(file: &std::io::Result<std::fs::DirEntry>) -> bool {
    file.as_ref().is_ok_and(|file| file.path().extension().is_some_and(|extension| extension == "json"))
}
