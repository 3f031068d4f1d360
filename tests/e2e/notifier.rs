//! The notifier's container binary, killed with notifications in flight.

use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::journal::{Entry, Journal};
use millrace_testkit::kafka::{self, RawRecord};
use millrace_testkit::wait::eventually;
use millrace_testkit::webhook::{Answer, WebhookReceiver};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::program::{Program, free_address};

const USERS: usize = 20;
const EACH: usize = 50;

/// And each user's notifications in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_notifier_delivers_all_at_least_once() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    kafka.create_topics(&[TopicSpec::new("notifications", 6), TopicSpec::new("notifications.dlq", 1)]).await;
    let receiver = WebhookReceiver::start().await.expect("a receiver");
    receiver.answer("/hook", [Answer::status(StatusCode::OK).after(Duration::from_millis(20))]);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("notifier.toml");
    let text = format!(
        "[destinations.hook]\ntype = \"webhook\"\nurl = \"{}\"\nsecrets = [\"whsec_{}\"]\n[[routes]]\nto = [\"hook\"]\n",
        receiver.url("/hook"),
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    );
    std::fs::write(&config, text).expect("the configuration");

    let journal = Journal::new();
    for number in 0..EACH {
        let records = (0..USERS).map(|user| {
            let value = json!({"user_id": format!("user-{user}"), "message": number.to_string()});
            RawRecord::new(value.to_string())
                .key(format!("user-{user}"))
                .header("ce_id", format!("user-{user}-{number}"))
        });
        kafka.produce("notifications", records).await;
        for user in 0..USERS {
            journal.acknowledge(Entry::new(format!("user-{user}-{number}"), format!("user-{user}"), number as u64));
        }
    }

    let start = || {
        let config = config.display().to_string();
        let admin = free_address();
        let args = ["--notifier-config", &config, "--allow-private-destinations", "--admin-listen", &admin];
        // As a container with a static id: it goes on at once, without waiting for the session of the killed one.
        let args = [&args[..], &["--group-instance-id", "notifier-1"]].concat();
        Program::start("millrace-notifier", &args, &[("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())])
    };
    for round in 1..=3 {
        let program = start();
        let target = USERS * EACH * round / 5;
        eventually(Duration::from_secs(60), "some are delivered", async || {
            (receiver.received().len() >= target).then_some(())
        })
        .await;
        program.kill().await;
    }
    let mut last = start();
    let delivered = || {
        receiver.received().into_iter().map(|request| {
            let body: Value = serde_json::from_slice(&request.body).expect("a JSON body");
            let id = request.headers["webhook-id"].to_str().expect("an id").to_owned();
            let user = body["data"]["user_id"].as_str().expect("a user").to_owned();
            let number = body["data"]["message"].as_str().and_then(|text| text.parse().ok()).expect("a number");
            Entry::new(id, user, number)
        })
    };
    eventually(Duration::from_secs(90), "all are delivered", async || {
        last.assert_running();
        let ids: std::collections::HashSet<_> = delivered().map(|entry| entry.id).collect();
        (ids.len() == USERS * EACH).then_some(())
    })
    .await;
    assert!(last.terminate(Duration::from_secs(30)).await.success(), "{}", last.stderr());
    journal.check(delivered()).assert_at_least_once_in_order();
}
