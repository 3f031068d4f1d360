//! Tests of the server from its clients' side.

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::*;

const TIMEOUTS: Timeouts = Timeouts { idle: Duration::from_secs(75), head: Duration::from_secs(60) };
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn router() -> Router {
    let slow = async || {
        sleep(200 * SECOND).await;
        "late"
    };
    Router::new().route("/", get("here")).route("/slow", get(slow)).route("/", post("taken"))
}

/// The client's side of a connection, open until the server's side is dropped.
fn connected() -> (DuplexStream, GracefulShutdown) {
    let (client, server) = duplex(2 << 20);
    let connections = GracefulShutdown::new();
    connect(server, router(), IpAddr::from([127, 0, 0, 1]), TIMEOUTS, connections.watcher());
    (client, connections)
}

/// Sends a request and reads the whole response, which ends with `body`.
async fn ask(client: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8], body: &str) {
    client.write_all(request).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(body.as_bytes()) {
        assert_ne!(client.read_buf(&mut response).await.unwrap(), 0, "{}", String::from_utf8_lossy(&response));
    }
}

/// What is read until the server closes, and how long that took.
async fn rest(client: &mut (impl AsyncRead + Unpin)) -> (String, Duration) {
    let started = Instant::now();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    (text, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_the_idle_timeout() {
    let (mut client, _connections) = connected();
    for idle in [0, 74, 61, 74] {
        sleep(idle * SECOND).await;
        ask(&mut client, REQUEST, "here").await;
    }
    let (text, waited) = rest(&mut client).await;
    assert_eq!((text.as_str(), waited.as_secs()), ("", 75));
    let (mut silent, _connections) = connected();
    assert_eq!(rest(&mut silent).await.1.as_secs(), 75, "the idle time-out also holds before the first request");
}

#[tokio::test(start_paused = true)]
async fn a_head_in_small_pieces_has_the_head_timeout() {
    let (mut client, _connections) = connected();
    ask(&mut client, REQUEST, "here").await;
    sleep(70 * SECOND).await;
    for piece in REQUEST.chunks(6) {
        client.write_all(piece).await.unwrap();
        sleep(10 * SECOND).await;
    }
    ask(&mut client, b"", "here").await;
    client.write_all(b"GET / HT").await.unwrap();
    let (text, waited) = rest(&mut client).await;
    assert_eq!((text.as_str(), waited.as_secs()), ("", 60));
}

#[tokio::test(start_paused = true)]
async fn a_response_may_take_longer_than_the_client_timeouts() {
    let (mut client, _connections) = connected();
    ask(&mut client, b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n", "late").await;
    ask(&mut client, REQUEST, "here").await;
}

/// A head with `count` fields.
fn fields(count: usize) -> String {
    let fields: String = (0..count).map(|number| format!("x-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    format!("POST / HTTP/1.1\r\n{fields}")
}

fn assert_problem(response: &str, status: u16) {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {response}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{head}");
    assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
    assert!(head.contains("\r\nx-request-id: "), "{head}");
    assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &status.into()));
    assert!(problem["title"].is_string() && problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn rejected_heads_get_a_problem_document() {
    for (request, status) in [
        (format!("{}\r\n", fields(101)), 431),
        (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1_000_000)), 431),
        (format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n", "x".repeat(65_535)), 414),
        ("GET / HTTP/1.1\r\nbad header: 1\r\n\r\n".to_owned(), 400),
        ("nonsense\r\n\r\n".to_owned(), 400),
    ] {
        let (mut client, _connections) = connected();
        client.write_all(request.as_bytes()).await.unwrap();
        assert_problem(&rest(&mut client).await.0, status);
    }
    let (mut client, _connections) = connected();
    ask(&mut client, format!("{}content-length: 0\r\n\r\n", fields(99)).as_bytes(), "taken").await;
}

/// The body is still being sent when the response is written.
#[tokio::test]
async fn a_rejected_request_does_not_reset_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(serve(listener, router(), HttpArgs { idle_timeout: SECOND }, None, shutdown.clone()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(format!("{}content-length: 4000000\r\n\r\n", fields(100)).as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 4_000_000]).await.unwrap();
    assert_problem(&rest(&mut client).await.0, 431);
    drop(client);
    shutdown.cancel();
    server.await.unwrap();
}
