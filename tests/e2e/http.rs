//! An HTTP client of the edge.

use std::time::{Duration, Instant};

use millrace_testkit::wait::eventually;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::program::Program;

/// Time-out of [`found`].
const FOUND_TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP client without TLS and proxies.
pub(crate) fn client() -> Client {
    // The crypto provider is global: another test may have installed it.
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

/// Posts a notification; returns the status and the latency.
pub(crate) async fn notify(client: &Client, address: &str, user: &str, id: &str, text: &str) -> (StatusCode, Duration) {
    let started = Instant::now();
    let request = client
        .post(format!("http://{address}/send-notification"))
        .header("idempotency-key", id)
        .header("content-type", "application/json")
        .body(json!({"user_id": user, "message": text}).to_string());
    let answer = request.send().await.expect("every write is answered");
    let status = answer.status();
    let body = json_of(answer).await;
    if status == StatusCode::OK {
        assert_eq!((&body["status"], &body["id"]), (&json!("Notification sent"), &json!(id)));
    } else {
        assert_eq!(body["status"], json!(status.as_u16()), "{body}");
    }
    (status, started.elapsed())
}

/// Posts an event with this idempotency key, which is its id.
pub(crate) async fn post(http: &Client, url: &str, key: &str, body: &Value) -> StatusCode {
    let request = http.post(url).header("idempotency-key", key).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.expect("an answer");
    let status = answer.status();
    assert_eq!(json_of(answer).await["id"], key);
    status
}

async fn json_of(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
}

/// Waits until a URL has a value that `wanted` accepts; returns the value.
pub(crate) async fn found(http: &Client, url: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(FOUND_TIMEOUT, &format!("{url} has the expected value"), async || {
        let answer = http.get(url).send().await.ok()?;
        if answer.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert_eq!(answer.status(), StatusCode::OK);
        Some(json_of(answer).await).filter(|found| wanted(found))
    })
    .await
}
