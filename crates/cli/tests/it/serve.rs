//! `millrace serve` on a broker that has no topics.

use std::net::TcpListener;
use std::time::Duration;

use millrace_testkit::{eventually, kafka};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::millrace::Millrace;

const ORDER: &str =
    "POST /orders HTTP/1.1\r\nhost: edge\r\nconnection: close\r\ncontent-length: 16\r\n\r\n{\"order_id\":\"1\"}";

/// The response to an order; `None` while the server does not listen.
async fn order(address: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address).await.ok()?;
    connection.write_all(ORDER.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    Some(answer)
}

#[tokio::test]
async fn a_missing_topic_is_named_with_the_command_to_create_it() {
    let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let serve = Millrace::new(["serve", "--listen", &address, "--kafka", kafka.bootstrap_servers()]).start();
    let answer = eventually(Duration::from_mins(1), "it serves", async || order(&address).await).await;
    let command = format!("millrace topics apply --kafka {}", kafka.bootstrap_servers());
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("the broker has no topic orders: "), "{answer}");
    assert!(answer.contains(&command), "{answer}");

    Millrace::new(["topics", "apply", "--kafka", kafka.bootstrap_servers()]).run().await.ok();
    eventually(Duration::from_mins(1), "an order is accepted", async || {
        order(&address).await.filter(|answer| answer.starts_with("HTTP/1.1 202 "))
    })
    .await;
    serve.signal("TERM");
    let ended = serve.end().await;
    assert!(ended.stderr.contains("topics are missing") && ended.stderr.contains(&command), "{ended:?}");
    assert!(ended.stderr.contains("events, notifications, orders, raw-logs, user-login"), "{ended:?}");
}
