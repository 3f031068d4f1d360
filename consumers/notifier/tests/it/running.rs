//! The container's binary at work, on the embedded broker: records in, lines out, metrics, and a clean end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use millrace_broker::embedded::Embedded;
use millrace_domain::event::NOTIFICATION;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, OutgoingRecord, Producer};
use millrace_testkit::eventually;
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::Value;
use tokio::task::spawn_blocking;

const BOUND: Duration = Duration::from_secs(30);

/// A notifier as a process. It is killed if the test ends before it does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended, which is well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The status line, headers and body of an answer; empty where there is none yet.
fn get(address: SocketAddr, path: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().unwrap_or_default()
}

async fn produce(producer: &Producer, id: &str, value: &str) {
    let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(id) });
    let value = Some(value.as_bytes());
    let record = OutgoingRecord { topic: NOTIFICATION.topic, partition: None, key: Some(b"12345"), value, headers };
    producer.send(record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_becomes_a_line_on_stdout_and_a_signal_ends_it_with_0() {
    let broker = Embedded::start(&[("notifications", 1), ("notifications.dlq", 1)]).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_millrace-notifier"))
        .env_clear()
        .args(["--kafka", broker.bootstrap_servers(), "--admin-listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut logs = BufReader::new(child.stderr.take().unwrap());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut running = Running(child);
    let started = spawn_blocking(move || {
        let mut line = String::new();
        logs.read_line(&mut line).unwrap();
        // Whoever logs into a full pipe waits.
        std::thread::spawn(move || std::io::copy(&mut logs, &mut std::io::sink()));
        serde_json::from_str::<Value>(&line).unwrap()
    });
    let admin: SocketAddr = started.await.unwrap()["admin"].as_str().unwrap().parse().unwrap();

    eventually(BOUND, "it has joined its group", async || {
        get(admin, "/health").starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    let producer =
        Producer::new(&KafkaSettings::plaintext(broker.bootstrap_servers()), &ProducerSettings::default()).unwrap();
    produce(&producer, "bad-1", r#"{"user_id": "12345"}"#).await;
    produce(&producer, "event-1", r#"{"user_id": "12345", "message": "Your order has shipped"}"#).await;

    let line =
        tokio::time::timeout(BOUND, spawn_blocking(move || lines.next().unwrap().unwrap())).await.unwrap().unwrap();
    assert!(line.ends_with("  12345  Your order has shipped  event-1"), "{line}");
    let expected = [
        r#"millrace_notifier_deliveries_total{destination="console",status="delivered"} 1"#,
        r#"millrace_notifier_attempt_seconds_count{destination="console"} 1"#,
        r#"millrace_notifier_breaker_open{destination="console"} 0"#,
    ];
    eventually(BOUND, "the delivery is counted", async || {
        let metrics = get(admin, "/metrics");
        expected.iter().all(|line| metrics.lines().any(|found| found == *line)).then_some(())
    })
    .await;

    let pid = running.0.id();
    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
    let status = eventually(BOUND, "it has ended", async || running.0.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
}
