//! `millrace dev` on its own.

use std::path::Path;
use std::time::Duration;

use millrace_testkit::kafka;
use millrace_testkit::wait::eventually;
use reqwest::StatusCode;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::http::{client, found, notify, post, serving};
use crate::program::{Program, free_address};

pub(crate) const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn dev(data_dir: &Path) -> (Program, String) {
    dev_with(data_dir, &[]).await
}

async fn dev_with(data_dir: &Path, more: &[&str]) -> (Program, String) {
    let address = free_address();
    let data_dir = data_dir.display().to_string();
    let args = [&["dev", "--listen", &address, "--data-dir", &data_dir], more].concat();
    let mut program = Program::start("millrace", &args, &[]);
    serving(&mut program, &client(), &address).await;
    (program, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_is_delivered_on_the_terminal_within_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut program, address) = dev(folder.path()).await;
    let (status, _) = notify(&client(), &address, "12345", "first", "Your parcel is on its way.").await;
    assert_eq!(status, StatusCode::OK);
    eventually(Duration::from_secs(1), "the notification is on the terminal", async || {
        program
            .stdout()
            .iter()
            .any(|line| line.contains("12345") && line.contains("Your parcel is on its way."))
            .then_some(())
    })
    .await;

    let file: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("dev.json")).expect("dev.json")).expect("JSON");
    assert_eq!(file["http"], format!("http://{address}"));
    assert!(file["kafka"].as_str().is_some_and(|kafka| kafka.starts_with("127.0.0.1:")), "{file}");
    assert!(program.terminate(EXIT_TIMEOUT).await.success(), "{}", program.stderr());
    assert!(!folder.path().join("dev.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_accepted_is_delivered_before_the_exit() {
    const USERS: usize = 50;
    const EACH: usize = 40;
    let folder = tempfile::tempdir().expect("a folder");
    let (mut program, address) = dev(folder.path()).await;
    let http = client();
    let posts = (0..USERS).map(|user| {
        let (http, address) = (http.clone(), address.clone());
        async move {
            for number in 0..EACH {
                let id = format!("{user}-{number}");
                let text = format!("number <{id}>");
                let (status, _) = notify(&http, &address, &user.to_string(), &id, &text).await;
                assert_eq!(status, StatusCode::OK);
            }
        }
    });
    futures_util::future::join_all(posts).await;
    assert!(program.terminate(EXIT_TIMEOUT).await.success(), "{}", program.stderr());
    let stdout = program.stdout().join("\n");
    let missing: Vec<_> = (0..USERS)
        .flat_map(|user| (0..EACH).map(move |number| format!("<{user}-{number}>")))
        .filter(|text| !stdout.contains(text.as_str()))
        .collect();
    assert!(missing.is_empty(), "{} were accepted and not delivered: {missing:?}", missing.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_or_data_directory_in_use_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut program, address) = dev(folder.path()).await;

    let other = tempfile::tempdir().expect("a folder");
    let (data_dir, other_dir) = (folder.path().display().to_string(), other.path().display().to_string());
    let mut second = Program::start("millrace", &["dev", "--data-dir", &other_dir], &[("MILLRACE_LISTEN", &address)]);
    assert_eq!(second.ended(EXIT_TIMEOUT).await.code(), Some(2));
    assert!(second.stderr().contains("MILLRACE_LISTEN") && second.stderr().contains(&address), "{}", second.stderr());

    let other_address = free_address();
    let mut third = Program::start("millrace", &["dev", "--data-dir", &data_dir, "--listen", &other_address], &[]);
    assert_eq!(third.ended(EXIT_TIMEOUT).await.code(), Some(2));
    let stderr = third.stderr();
    assert!(stderr.contains("--data-dir") && stderr.contains("runs already"), "{stderr}");

    assert!(program.terminate(EXIT_TIMEOUT).await.success(), "{}", program.stderr());
}

/// Closing a terminal closes the readers of both streams, and sends SIGHUP.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_terminal_ends_it_with_exit_code_0() {
    // Under `nohup` a child would ignore the signal like its parent; of a parent that handles it, it does not.
    let _handled = signal(SignalKind::hangup()).expect("a handler");
    let folder = tempfile::tempdir().expect("a folder");
    let (address, data_dir) = (free_address(), folder.path().display().to_string());
    let mut program = Program::start_unread("millrace", &["dev", "--listen", &address, "--data-dir", &data_dir]);
    let http = client();
    serving(&mut program, &http, &address).await;
    // The second event is a dead letter, which is logged.
    for body in [json!({"n": 1}), json!({"n": 2})] {
        assert_eq!(post(&http, &format!("http://{address}/register_event"), "one", &body).await, StatusCode::OK);
    }
    let is_dead_lettered = |status: &Value| status["consumers"]["event-store"]["dead_lettered"] == 1;
    found(&http, &format!("http://{address}/get_status"), is_dead_lettered).await;
    program.signal(Signal::HUP);
    assert_eq!(program.ended(EXIT_TIMEOUT).await.code(), Some(0));
}

/// A broker that dies ends `dev` with an error.
#[tokio::test(flavor = "multi_thread")]
async fn on_apache_kafka_records_survive_a_restart() {
    if kafka::shared().await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (mut program, address) = dev_with(folder.path(), &["--kafka", "apache"]).await;
    let (status, _) = notify(&client(), &address, "12345", "first", "Your parcel is on its way.").await;
    assert_eq!(status, StatusCode::OK);
    assert!(program.terminate(EXIT_TIMEOUT).await.success(), "{}", program.stderr());

    let (mut program, _) = dev_with(folder.path(), &["--kafka", "apache"]).await;
    let data_dir = folder.path().display().to_string();
    let from_start = ["tail", "notifications", "--from", "beginning", "--count", "1", "--data-dir", &data_dir];
    let mut tail = Program::start("millrace", &from_start, &[]);
    assert!(tail.ended(EXIT_TIMEOUT).await.success(), "{}", tail.stderr());
    assert!(tail.stdout().join("\n").contains("Your parcel is on its way."), "{:?}", tail.stdout());

    let broker = program.child_with("kafka.Kafka").expect("its broker");
    kill_process(broker, Signal::KILL).expect("it can be killed");
    assert!(!program.ended(EXIT_TIMEOUT).await.success());
    assert!(program.stderr().contains("broker 1"), "{}", program.stderr());
}
