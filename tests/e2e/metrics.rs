//! `/metrics` and `/health` of every program that runs until it is stopped.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_testkit::missing::skip;
use millrace_testkit::wait::eventually;
use reqwest::{Client, StatusCode};

use crate::http::{client, notify, post, serving};
use crate::program::{Program, free_address};

const DOCUMENTATION: &str = include_str!("../../docs/operations.md");

const COUNTED_TIMEOUT: Duration = Duration::from_secs(30);

/// The programs: one that holds everything, the edge alone, consumers in one process, and the containers.
#[tokio::test(flavor = "multi_thread")]
async fn promtool_accepts_the_metrics_of_every_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().display().to_string();
    let http = client();
    let dev_address = free_address();
    let mut dev = Program::start("millrace", &["dev", "--listen", &dev_address, "--data-dir", &data_dir], &[]);
    serving(&mut dev, &http, &dev_address).await;
    let file = std::fs::read(folder.path().join("dev.json")).expect("dev.json");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    let kafka = file["kafka"].as_str().expect("an address").to_owned();
    let url = |path: &str| format!("http://{dev_address}{path}");

    assert_eq!(notify(&http, &dev_address, "12345", "metrics-1", "hello").await.0, StatusCode::OK);
    assert_eq!(post(&http, &url("/orders"), "metrics-2", &serde_json::json!({"order_id": "1"})).await, 202);
    // Accepted as an event and refused by the notifier, for it has no message.
    let refused = http.post(url("/events")).header("content-type", "application/cloudevents-batch+json");
    let refused = refused.body(r#"[{"specversion": "1.0", "id": "1", "source": "/", "type": "t"}]"#);
    assert_eq!(refused.send().await.expect("an answer").status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(http.get(url("/nowhere")).send().await.expect("an answer").status(), StatusCode::NOT_FOUND);

    for line in [
        r#"millrace_notifier_deliveries_total{destination="console",result="delivered"} 2"#,
        r#"millrace_build_info{version="0.1.0"} 1"#,
        r#"millrace_http_requests_total{method="POST",route="/send-notification",status="200"} 1"#,
        r#"millrace_http_requests_total{method="POST",route="/events",status="422"} 1"#,
        r#"millrace_http_requests_total{method="other",route="unmatched",status="404"} 1"#,
        r#"millrace_http_request_duration_seconds_count{method="POST",route="/orders",status="202"} 1"#,
        r#"millrace_http_batch_results_total{result="rejected"} 1"#,
        "millrace_http_batch_events_count 1",
        "millrace_http_memory_budget_bytes 134217728",
        r#"millrace_consumer_lag_records{consumer="notifier",topic="notifications"} 0"#,
        r#"millrace_consumer_owned_partitions{consumer="payments",topic="orders"} 3"#,
        r#"millrace_consumer_dead_letters_total{consumer="payments",topic="orders",class="permanent",reason="rejected"} 0"#,
        "millrace_kafka_produced_records_total 3",
        r#"millrace_consumer_in_flight_records{consumer="payments",topic="orders"} 0"#,
        r#"millrace_consumer_commits_total{consumer="payments",store="transaction",result="committed"} 1"#,
        r#"millrace_payments_charges_total{result="paid"} 1"#,
    ] {
        counted(&http, &dev_address, line).await;
    }

    let refused = http.post(url("/metrics")).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");

    let listen = free_address();
    let serve_admin = free_address();
    let args = ["serve", "--kafka", &kafka, "--listen", &listen, "--admin-listen", &serve_admin];
    let mut serve = Program::start("millrace", &args, &[]);
    serving(&mut serve, &http, &serve_admin).await;
    assert_eq!(notify(&http, &listen, "12345", "metrics-3", "hello").await.0, StatusCode::OK);
    let elsewhere = http.get(format!("http://{listen}/metrics")).send().await.expect("an answer");
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND, "they are on the listener of their own alone");

    let consume_admin = free_address();
    let args = ["consume", "notifier", "payments", "--kafka", &kafka, "--admin-listen", &consume_admin];
    let mut consume = Program::start("millrace", &args, &[]);
    serving(&mut consume, &http, &consume_admin).await;

    let mut pages = vec![("dev", get(&http, &dev_address).await), ("serve", get(&http, &serve_admin).await)];
    pages.push(("consume", get(&http, &consume_admin).await));
    let database = format!("sqlite://{data_dir}/containers.db");
    for (name, options) in [
        ("millrace-notifier", &["--database", &database][..]),
        ("millrace-event-store", &["--database", &database]),
        ("millrace-payments", &[]),
        ("millrace-login-insights", &["--insights-to", &data_dir]),
        ("millrace-log-shipper", &["--logs-to", &data_dir]),
        // It connects to its cluster when it has something to index.
        ("millrace-log-indexer", &["--index-to", "http://127.0.0.1:9"]),
    ] {
        let admin = free_address();
        let args = [&["--kafka", &kafka, "--admin-listen", &admin], options].concat();
        let mut container = Program::start(name, &args, &[]);
        serving(&mut container, &http, &admin).await;
        pages.push((name, get(&http, &admin).await));
    }
    for (program, page) in pages {
        assert!(!page.contains(" summary\n"), "{program} has a histogram without buckets:\n{page}");
        for name in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
            assert!(DOCUMENTATION.contains(&format!("`{name}")), "docs/operations.md says nothing of {name}");
        }
        check(program, &page);
    }
}

async fn get(http: &Client, address: &str) -> String {
    let answer = http.get(format!("http://{address}/metrics")).send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.expect("a page")
}

/// Waits until the page has this line.
async fn counted(http: &Client, address: &str, line: &str) {
    eventually(COUNTED_TIMEOUT, line, async || {
        get(http, address).await.lines().any(|found| found == line).then_some(())
    })
    .await;
}

/// Runs Prometheus's own check.
fn check(program: &str, page: &str) {
    let mut promtool = Command::new("promtool");
    let promtool =
        promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = match promtool.spawn() {
        Ok(promtool) => promtool,
        Err(error) => return skip("promtool", &format!("promtool does not start ({error}); scripts/test installs it")),
    };
    promtool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("promtool reads");
    let checked = promtool.wait_with_output().expect("promtool ends");
    let said = [checked.stdout, checked.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned()).concat();
    assert!(checked.status.success(), "promtool about {program}: {said}\n{page}");
}
