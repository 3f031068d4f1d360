//! The webhook receiver with a plain HTTP client.

use std::io;
use std::time::{Duration, Instant};

use http::StatusCode;
use millrace_testkit::webhook::{Answer, WebhookReceiver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Posts to the receiver, and returns all that comes back until the connection ends.
async fn post(receiver: &WebhookReceiver, path: &str, body: &str) -> io::Result<String> {
    let url = receiver.url(path);
    let authority = url.strip_prefix("http://").unwrap().strip_suffix(path).unwrap();
    let mut stream = TcpStream::connect(authority).await?;
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_request_is_recorded_and_answered_200() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let answer = post(&receiver, "/hooks/ann", r#"{"a":1}"#).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let requests = receiver.received();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/hooks/ann"));
    assert_eq!(requests[0].body, r#"{"a":1}"#);
    assert_eq!(requests[0].headers["content-length"], "7");
    assert!(receiver.received_at("/hooks/bob").is_empty());
}

#[tokio::test]
async fn a_path_answers_in_order_and_repeats_the_last() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let too_many = Answer::retry_after(StatusCode::TOO_MANY_REQUESTS, "7");
    receiver.answer("/", [Answer::status(StatusCode::SERVICE_UNAVAILABLE), too_many]);
    assert!(post(&receiver, "/", "").await.unwrap().starts_with("HTTP/1.1 503 "));
    for _ in 0..2 {
        let answer = post(&receiver, "/", "").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 7\r\n"), "{answer}");
    }
    assert!(post(&receiver, "/other", "").await.unwrap().starts_with("HTTP/1.1 200 "));
    receiver.answer("/", [Answer::status(StatusCode::NO_CONTENT)]);
    assert!(post(&receiver, "/", "").await.unwrap().starts_with("HTTP/1.1 204 "));
}

#[tokio::test]
async fn a_response_can_be_delayed() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let delay = Duration::from_millis(300);
    receiver.answer("/", [Answer::status(StatusCode::OK).after(delay)]);
    let asked = Instant::now();
    assert!(post(&receiver, "/", "").await.unwrap().starts_with("HTTP/1.1 200 "));
    assert!(asked.elapsed() >= delay);
    assert!(receiver.received()[0].at < asked + delay, "the time of a request is its arrival, not its response");
}

/// And its connection ends with the receiver.
#[tokio::test]
async fn a_hanging_path_blocks_no_other() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/hangs", [Answer::hang()]);
    assert!(timeout(Duration::from_millis(300), post(&receiver, "/hangs", "")).await.is_err());
    assert!(post(&receiver, "/", "").await.unwrap().starts_with("HTTP/1.1 200 "));
    assert_eq!(receiver.received_at("/hangs").len(), 1);
    let url = receiver.url("");
    drop(receiver);
    millrace_testkit::eventually(Duration::from_secs(5), "the port is closed", async || {
        TcpStream::connect(url.strip_prefix("http://").unwrap()).await.err()
    })
    .await;
}

#[tokio::test]
async fn a_connection_can_be_closed_without_a_response() {
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.answer("/", [Answer::disconnect()]);
    // An end of stream or a reset, depending on the kernel.
    match post(&receiver, "/", "").await {
        Ok(answer) => assert_eq!(answer, ""),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    assert_eq!(receiver.received().len(), 1);
}
