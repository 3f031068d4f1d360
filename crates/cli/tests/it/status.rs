//! `GET /get_status`: its counts, and its status while brokers are down.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use millrace_broker::topics::TopicSpec;
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, RawRecord, TransactionEnd};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::millrace::Millrace;

/// Status and body of the response; `None` while the server does not listen.
async fn get_status(address: &str) -> Option<(u16, Value)> {
    let started = Instant::now();
    let mut connection = TcpStream::connect(address).await.ok()?;
    connection.write_all(b"GET /get_status HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(6), "answered after {:?}", started.elapsed());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, serde_json::from_str(body).unwrap()))
}

/// Payments are written in transactions, whose markers take offsets; so do aborted events.
#[tokio::test]
async fn processed_counts_records_and_not_offsets_across_restarts() {
    let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let run = |address: &str| {
        let args = ["dev", "--kafka", kafka.bootstrap_servers(), "--listen", address, "--data-dir", data_dir];
        Millrace::new(args).start()
    };
    let processed = async |address: &str, what: &str, orders: u64, stored: u64| {
        eventually(Duration::from_mins(1), what, async || {
            let (_, status) = get_status(address).await?;
            let counts = |name: &str| {
                (status["consumers"][name]["lag"].as_u64(), status["consumers"][name]["processed"].as_u64())
            };
            (counts("payments") == (Some(0), Some(orders)) && counts("event-store") == (Some(0), Some(stored)))
                .then_some(())
        })
        .await;
    };
    let order = |n: usize| RawRecord::new(n.to_string()).key(n.to_string());
    let event = || RawRecord::new("{}").partition(0);

    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let dev = run(&address);
    processed(&address, "it is up", 0, 0).await;
    for n in 0..5 {
        kafka.produce("orders", [order(n)]).await;
    }
    kafka.produce_transaction("events", [event(), event()], TransactionEnd::Abort).await;
    kafka.produce_transaction("events", [event(), event(), event()], TransactionEnd::Commit).await;
    processed(&address, "five orders and their payments are counted, and three events", 5, 8).await;
    dev.signal("TERM");
    dev.end().await.ok();

    kafka.produce("orders", [order(5)]).await;
    let dev = run(&address);
    processed(&address, "one more is counted", 6, 9).await;
    dev.signal("TERM");
    dev.end().await.ok();
}

/// The partitions of the broker that is down have no figures; 503 is for no broker at all.
#[tokio::test]
async fn the_status_is_degraded_while_a_broker_is_down() {
    let Some(kafka) = kafka::dedicated(|builder| builder.brokers(3)).await else { return };
    // One unreplicated partition on each broker, and a topic replicated to all brokers.
    let spread = TopicSpec { replication: Some(1), ..TopicSpec::new("spread", 3) };
    let copied = TopicSpec { replication: Some(3), ..TopicSpec::new("copied", 1) };
    kafka.create_topics(&[spread, copied]).await;
    kafka.produce("spread", (0..3).map(|n| RawRecord::new("1").partition(n))).await;
    kafka.produce("copied", [RawRecord::new("1"), RawRecord::new("2")]).await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let serve = Millrace::new(["serve", "--listen", &address, "--kafka", kafka.bootstrap_servers()]).start();

    let status_when = async |what: &str, wanted: fn(u16, &Value) -> bool| {
        eventually(Duration::from_mins(1), what, async || {
            let (status, body) = get_status(&address).await?;
            wanted(status, &body).then_some(body)
        })
        .await
    };
    let whole = status_when("all is well", |status, body| status == 200 && body["status"] == "ok").await;
    assert_eq!(whole["topics"]["spread"], json!({"partitions": 3, "end_offset": 3}));
    assert_eq!(whole["topics"]["copied"], json!({"partitions": 1, "end_offset": 2}));

    kafka.broker(3).kill().unwrap();
    let degraded = status_when("a partition has no leader", |status, body| {
        status == 200 && body["status"] == "degraded" && body["topics"]["copied"]["end_offset"] == 2
    })
    .await;
    assert_eq!(degraded["kafka"]["connected"], true);
    assert_eq!(degraded["topics"]["spread"], json!({"partitions": 3, "end_offset": null}));

    kafka.broker(1).kill().unwrap();
    kafka.broker(2).kill().unwrap();
    let nothing = status_when("no broker answers", |status, _| status == 503).await;
    assert_eq!(nothing["kafka"], json!({"connected": false, "brokers": 0}));
    serve.signal("KILL");
    serve.end().await;
}
