//! Tests of the generator against a small server.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::{Router, routing::post};
use clap::Parser;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

/// A server on a free port, stopped on drop.
struct Server {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    async fn of(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the server serves");
        });
        Self { address, _task: AbortOnDropHandle::new(task) }
    }
}

fn args(address: SocketAddr, flags: &str) -> Args {
    let url = format!("http://{address}");
    let line = ["load", "--url", &url].into_iter().chain(flags.split_whitespace());
    Command::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).args
}

async fn measured(args: &Args, seed: u64, stop: &CancellationToken) -> Report {
    let target = target::find(args.url.as_ref(), &args.data_dir).expect("it is named");
    measure(args, &target, seed, stop).await.expect("the load runs")
}

/// The report of a run with these flags, as programs read it.
async fn load(address: SocketAddr, flags: &str) -> Value {
    let args = args(address, flags);
    let report = measured(&args, args.seed.unwrap_or(1), &CancellationToken::new()).await;
    serde_json::to_value(report).expect("a report is JSON")
}

#[tokio::test]
async fn a_latency_counts_from_when_the_request_was_due() {
    const DELAY: Duration = Duration::from_millis(50);
    let slow = post(|| async {
        tokio::time::sleep(DELAY).await;
        StatusCode::OK
    });
    let server = Server::of(Router::new().route("/send-notification", slow)).await;

    // One connection serves 20 a second. The last of 40 is due after 390 ms and answered after 2 s.
    let flags = "--rate 100 --count 40 --connections 1";
    let report = load(server.address, flags).await;
    assert_eq!(report["accepted"], 40);
    let latency = |name: &str| report["latency_ms"][name].as_f64().expect("a latency");
    assert!(latency("max") >= 1_600.0, "{report}");
    assert!(latency("p50") >= 750.0, "{report}");
}

#[tokio::test]
async fn every_event_that_was_due_is_sent_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let orders = post({
        let seen = seen.clone();
        |Json(order): Json<Value>| async move {
            let id = order["order_id"].as_str().expect("an order id").to_owned();
            seen.lock().expect("no handler panics").push(id);
            StatusCode::ACCEPTED
        }
    });
    let server = Server::of(Router::new().route("/orders", orders)).await;

    for flags in [
        "--rate 400 --duration 500ms",
        "--rate 0 --count 200",
        // Whichever limit is reached first.
        "--rate 400 --duration 500ms --count 100000",
        "--rate 0 --duration 10m --count 200",
    ] {
        let report = load(server.address, &format!("--kind order --seed 7 {flags}")).await;
        assert_eq!((&report["sent"], &report["accepted"]), (&json!(200), &json!(200)));
        let ids = std::mem::take(&mut *seen.lock().expect("no handler panics"));
        assert_eq!(ids.len(), 200, "{flags}");
        let ids: BTreeSet<_> = ids.into_iter().collect();
        let expected: BTreeSet<_> = (1..=200).map(|number| (7_000_000_000_u64 + number).to_string()).collect();
        assert_eq!(ids, expected, "{flags}");
    }
}

#[tokio::test]
async fn a_closed_loop_bounded_by_time_ends_by_itself() {
    let router = Router::new().route("/send-notification", post(|| async { StatusCode::OK }));
    let server = Server::of(router).await;
    let report = load(server.address, "--rate 0 --duration 200ms --connections 2").await;
    assert!(report["sent"].as_u64() > Some(0), "{report}");
    assert_eq!(report["sent"], report["accepted"]);
}

/// The exit status is 1, and the JSON file is written.
#[tokio::test]
async fn failures_are_counted_by_status() {
    let calls = Arc::new(AtomicUsize::new(0));
    let failing = post(move || async move {
        match calls.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => StatusCode::SERVICE_UNAVAILABLE,
            1 => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::OK,
        }
    });
    let server = Server::of(Router::new().route("/register_event", failing)).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.json");

    let mut args = args(server.address, "--kind event --rate 0 --count 40 --connections 4");
    args.json = Some(file.clone());
    let mut output = Vec::new();
    let code = run_with_output(&args, &CancellationToken::new(), &mut output).await.expect("the load runs");

    assert_eq!(code, ExitCode::FAILURE);
    let output = String::from_utf8(output).expect("the report is text");
    assert!(output.contains("failed    20\n  429: 10\n  503: 10\n"), "{output}");
    let report: Value =
        serde_json::from_slice(&std::fs::read(file).expect("the file is there")).expect("the file is JSON");
    assert_eq!(report["sent"], 40);
    assert_eq!(report["accepted"], 20);
    assert_eq!(report["failures"], json!({"429": 10, "503": 10}));
}

#[tokio::test]
async fn a_run_without_failures_exits_0() {
    let router = Router::new().route("/user-login", post(|| async { StatusCode::ACCEPTED }));
    let server = Server::of(router).await;
    let args = args(server.address, "--kind login --rate 0 --count 10");
    let mut output = Vec::new();
    let code = run_with_output(&args, &CancellationToken::new(), &mut output).await.expect("the load runs");
    assert_eq!(code, ExitCode::SUCCESS);
}

#[tokio::test]
async fn events_of_a_batch_are_counted_by_their_own_results() {
    let batches = post(|headers: HeaderMap, body: bytes::Bytes| async move {
        assert_eq!(headers[header::CONTENT_TYPE], "application/cloudevents-batch+json");
        let events: Vec<Value> = serde_json::from_slice(&body).expect("the body is an array");
        let results: Vec<Value> = (0..events.len())
            .map(|index| match index {
                0 => json!({"id": "x", "status": "rejected", "error": {"status": 413}}),
                _ => json!({"id": "x", "status": "accepted"}),
            })
            .collect();
        let body = json!({"results": results}).to_string();
        (StatusCode::MULTI_STATUS, body).into_response()
    });
    let server = Server::of(Router::new().route("/events", batches)).await;
    let report = load(server.address, "--kind order --rate 0 --count 25 --batch 10").await;
    assert_eq!(report["sent"], 25);
    assert_eq!(report["accepted"], 22);
    assert_eq!(report["failures"], json!({"413": 3}));
}

#[tokio::test]
async fn log_lines_come_with_the_name_of_their_service() {
    let logs = post(|headers: HeaderMap, body: String| async move {
        let is_named = headers.contains_key("x-service");
        if is_named && body.lines().count() == 5 { StatusCode::ACCEPTED } else { StatusCode::UNPROCESSABLE_ENTITY }
    });
    let server = Server::of(Router::new().route("/logs", logs)).await;
    let report = load(server.address, "--kind log --rate 0 --count 20 --batch 5").await;
    assert_eq!(report["accepted"], 20);
}

#[tokio::test]
async fn without_a_server_every_event_fails_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    drop(listener);

    let args = args(address, "--rate 1000 --count 30");
    let report = measured(&args, 1, &CancellationToken::new()).await;
    assert!(report.to_string().contains("connection: 30 (connect: "));
    assert!(!report.is_success());
}

#[tokio::test]
async fn a_late_response_is_a_timeout() {
    let silent = post(|| async { std::future::pending::<StatusCode>().await });
    let server = Server::of(Router::new().route("/send-notification", silent)).await;
    let report = load(server.address, "--rate 0 --count 4 --connections 2 --timeout 50ms").await;
    assert_eq!(report["failures"], json!({"timeout": 4}));
}

#[tokio::test]
async fn requests_without_a_response_at_the_end_are_counted() {
    let silent = post(|| async { std::future::pending::<StatusCode>().await });
    let server = Server::of(Router::new().route("/send-notification", silent)).await;
    let flags = "--rate 100 --duration 100ms --connections 1 --timeout 500ms";
    let report = load(server.address, flags).await;
    assert_eq!(report["sent"], 10, "{report}");
    assert_eq!(report["accepted"], 0);
    assert!(report["failures"]["unanswered"].as_u64() >= Some(8), "{report}");
}

#[tokio::test]
async fn a_connection_closed_by_the_server_is_reopened() {
    let closing = post(|| async { [(header::CONNECTION, "close")] });
    let server = Server::of(Router::new().route("/send-notification", closing)).await;
    let report = load(server.address, "--rate 0 --count 50 --connections 3").await;
    assert_eq!(report["accepted"], 50);
}

#[tokio::test]
async fn a_stopped_run_ends_early_and_reports_what_it_sent() {
    for flags in ["--rate 500 --count 1000000", "--rate 0 --count 1000000 --connections 2"] {
        let stop = CancellationToken::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let stopping = post({
            let stop = stop.clone();
            move || async move {
                if calls.fetch_add(1, Ordering::Relaxed) == 20 {
                    stop.cancel();
                }
                StatusCode::OK
            }
        });
        let server = Server::of(Router::new().route("/send-notification", stopping)).await;
        let report = measured(&args(server.address, flags), 1, &stop).await;
        assert!(report.is_success(), "{report}");
        let report = serde_json::to_value(report).expect("a report is JSON");
        let sent = report["sent"].as_u64().expect("a number");
        assert!((21..1_000_000).contains(&sent), "{report}");
    }
}

#[test]
fn invalid_flags_are_rejected_by_name() {
    for (flag, value) in [
        ("--url", "localhost"),
        ("--batch", "0"),
        ("--connections", "0"),
        ("--count", "0"),
        ("--duration", "0s"),
        ("--rate", "-1"),
        ("--kind", "payment"),
    ] {
        let line = ["load".to_owned(), format!("{flag}={value}")];
        let error = Command::try_parse_from(line).err().expect(flag);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(flag), "{error}");
    }
}
