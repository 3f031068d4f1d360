//! `millrace dev` and its settings.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_testkit::kafka::{self, RawRecord};
use millrace_testkit::wait::eventually;
use rdkafka::message::OwnedHeaders;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::millrace::{Millrace, Running};

const ANYWHERE: [&str; 3] = ["dev", "--listen", "127.0.0.1:0"];

/// The edge's address, as the banner shows it.
pub(crate) async fn edge_of(dev: &mut Running) -> String {
    loop {
        if let Some(rest) = dev.line().await.trim().strip_prefix("API ") {
            let url = rest.split_whitespace().next().unwrap();
            return url.strip_prefix("http://").unwrap().to_owned();
        }
    }
}

/// The broker's bootstrap address, as the banner shows it.
async fn broker_of(dev: &mut Running) -> String {
    loop {
        if let Some(rest) = dev.line().await.trim().strip_prefix("Kafka ") {
            return rest.split_whitespace().next().unwrap().to_owned();
        }
    }
}

/// Banner and logs share the terminal.
#[tokio::test]
async fn nothing_is_logged_before_the_banner() {
    let mut dev = Millrace::new(ANYWHERE).start();
    let mut banner = String::new();
    while !banner.ends_with("Ctrl-C stops it.") {
        banner.push_str(dev.line().await.trim());
    }
    assert!(banner.starts_with("Millrace is up."), "{banner}");
    for limit in ["no transactions", "Java clients: --kafka apache"] {
        assert!(banner.contains(limit), "{banner}");
    }
    dev.signal("TERM");
    let ended = dev.end().await;
    let first = ended.stderr.lines().next().unwrap_or_default();
    assert!(first.contains("draining"), "{}", ended.stderr);
    ended.ok();
}

#[tokio::test]
async fn load_finds_the_edge_of_a_running_dev() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = ["--data-dir", folder.path().to_str().unwrap()];
    let mut dev = Millrace::new(ANYWHERE.into_iter().chain(data_dir)).start();
    let edge = edge_of(&mut dev).await;
    let report = Millrace::new(["load", "--count", "5"].into_iter().chain(data_dir)).run().await.ok();
    assert!(report.contains(&format!("notification to http://{edge}, ")) && report.contains("accepted  5"), "{report}");
    dev.signal("TERM");
    dev.end().await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_consumers_apply() {
    let mut dev = Millrace::new(ANYWHERE).env("MILLRACE_DEAD_LETTER_LIMIT", "2").start();
    let kafka = KafkaSettings::plaintext(broker_of(&mut dev).await);
    let producer = Producer::new(&kafka, &ProducerSettings::default()).unwrap();
    for _ in 0..2 {
        let (topic, headers) = ("notifications", OwnedHeaders::new());
        let poison = ProducerRecord { topic, partition: Some(0), key: None, value: Some(b"poison"), headers };
        producer.send(poison).await.unwrap();
    }

    let ended = tokio::time::timeout(Duration::from_secs(30), dev.end()).await.unwrap();

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("2 records in a row were refused for good"), "{ended:?}");
}

/// A compacted topic takes no letter without a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_dead_letter_stops_its_consumer_and_not_the_edge() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let letters = TopicSpec {
        config: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
        ..TopicSpec::new("notifications.dlq", 1)
    };
    kafka.create_topics(&[letters]).await;
    let args = ANYWHERE.into_iter().chain(["--kafka", kafka.bootstrap_servers()]);
    let mut dev = Millrace::new(args).start();
    let edge = edge_of(&mut dev).await;
    kafka.produce("notifications", [RawRecord::new("poison")]).await;
    let cluster = AdminClient::new(&KafkaSettings::plaintext(kafka.bootstrap_servers())).unwrap();
    let bound = Duration::from_secs(60);
    eventually(bound, "the notifier leaves its group", async || {
        let groups = cluster.groups(bound).await.unwrap();
        let notifier = groups.iter().find(|group| group.name == "millrace-notifier");
        notifier.is_none_or(|group| group.members == Some(0)).then_some(())
    })
    .await;

    assert!(get(&edge, "/health").await.starts_with("HTTP/1.1 200"));
    dev.signal("TERM");
    let ended = dev.end().await;
    assert!(ended.stderr.contains("consumer stopped; the edge and the other consumers go on"), "{ended:?}");
    assert!(ended.stderr.contains("a dead letter cannot be written to notifications.dlq"), "{ended:?}");
    assert_eq!(kafka.committed_offsets("millrace-notifier", "notifications").await.values().flatten().sum::<i64>(), 0);
    ended.ok();
}

async fn get(edge: &str, path: &str) -> String {
    exchange(edge, &format!("GET {path} HTTP/1.1\r\nhost: {edge}\r\nconnection: close\r\n\r\n")).await
}

/// Posts JSON, under this id if one is given; it must be accepted.
pub(crate) async fn post(edge: &str, path: &str, id: Option<&str>, body: &str) {
    let id = id.map(|id| format!("idempotency-key: {id}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {edge}\r\ncontent-type: application/json\r\n{id}");
    let answer = exchange(edge, &format!("{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}")).await;
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}

async fn exchange(edge: &str, request: &str) -> String {
    let mut connection = TcpStream::connect(edge).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn security_settings_without_a_named_broker_are_rejected() {
    let flag = Millrace::new(ANYWHERE.into_iter().chain(["--kafka-security-protocol", "SSL"]));
    for command in [flag, Millrace::new(ANYWHERE).env("KAFKA_SASL_MECHANISM", "PLAIN")] {
        let ended = command.run().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let expected = "error: --kafka (KAFKA_BOOTSTRAP_SERVERS): name the broker that the Kafka security settings";
        assert!(ended.stderr.starts_with(expected), "{ended:?}");
    }
}

#[tokio::test]
async fn wrong_security_settings_of_a_named_broker_are_named() {
    let dev = || Millrace::new(ANYWHERE.into_iter().chain(["--kafka", "127.0.0.1:9"]));
    let without_mechanism = dev().env("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT");
    let without_user = dev().env("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT").env("KAFKA_SASL_MECHANISM", "PLAIN");
    for (command, variable) in [(without_mechanism, "KAFKA_SASL_MECHANISM"), (without_user, "KAFKA_SASL_USERNAME")] {
        let ended = command.run().await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(variable), "{ended:?}");
    }
}

/// They may be meant for other commands.
#[tokio::test]
async fn a_named_embedded_broker_ignores_security_settings() {
    let args = ANYWHERE.into_iter().chain(["--kafka", "embedded"]);
    let mut dev = Millrace::new(args).env("KAFKA_SECURITY_PROTOCOL", "SSL").start();
    broker_of(&mut dev).await;
    dev.signal("TERM");
    dev.end().await.ok();
}

/// The files of a killed one do not prevent a new start.
#[tokio::test]
async fn a_data_directory_is_used_by_one_dev_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let with_data_dir = || Millrace::new(ANYWHERE.into_iter().chain(["--data-dir", data_dir]));
    let mut first = with_data_dir().start();
    edge_of(&mut first).await;

    let second = with_data_dir().run().await;
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(
        second.stderr.starts_with("error: --data-dir (MILLRACE_DATA_DIR): millrace dev runs already"),
        "{second:?}"
    );

    first.signal("KILL");
    assert_eq!(first.end().await.code, None);
    // Another process may have the pid of the killed one by now.
    let file = folder.path().join("dev.json");
    let mut left: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    left["pid"] = std::process::id().into();
    std::fs::write(&file, left.to_string()).unwrap();
    let mut third = with_data_dir().start();
    edge_of(&mut third).await;
    let own: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_ne!(own["pid"], left["pid"]);
    third.signal("TERM");
    third.end().await.ok();
}

/// Also by a client that writes the whole body before it reads.
#[tokio::test]
async fn a_too_large_body_is_answered_with_413() {
    let mut dev = Millrace::new(ANYWHERE).start();
    let edge = edge_of(&mut dev).await;
    let body = vec![b' '; 12 << 20];
    for head in [format!("content-length: {}", body.len()), "transfer-encoding: chunked".to_owned()] {
        let mut connection = TcpStream::connect(&edge).await.unwrap();
        let head = format!("POST /events HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n{head}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        if head.contains("chunked") {
            connection.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.unwrap();
            connection.write_all(&body).await.unwrap();
            connection.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        } else {
            connection.write_all(&body).await.unwrap();
        }
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    dev.signal("TERM");
    dev.end().await.ok();
}
