//! A caller of the edge.

use std::time::{Duration, Instant};

use millrace_testkit::wait::eventually;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::program::Program;

/// An HTTP client for plain connections to this machine.
pub(crate) fn client() -> Client {
    // The provider is the process's; another test may have set it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().expect("an HTTP client")
}

/// Waits until a program serves at this address.
pub(crate) async fn serving(program: &mut Program, client: &Client, address: &str) {
    let url = format!("http://{address}/health");
    eventually(Duration::from_secs(60), "the program serves", async || {
        program.assert_running();
        client.get(&url).send().await.ok().filter(|answer| answer.status() == StatusCode::OK).map(drop)
    })
    .await;
}

/// One notification, and how long its answer took.
pub(crate) async fn notify(client: &Client, address: &str, user: &str, id: &str, text: &str) -> (StatusCode, Duration) {
    let begun = Instant::now();
    let request = client
        .post(format!("http://{address}/send-notification"))
        .header("idempotency-key", id)
        .header("content-type", "application/json")
        .body(json!({"user_id": user, "message": text}).to_string());
    let answer = request.send().await.expect("every write is answered");
    let status = answer.status();
    let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("a JSON body");
    if status == StatusCode::OK {
        assert_eq!((&body["status"], &body["id"]), (&json!("Notification sent"), &json!(id)));
    } else {
        assert_eq!(body["status"], json!(status.as_u16()), "{body}");
    }
    (status, begun.elapsed())
}
