//! Log records from HTTP to the lake's rows, live in `millrace dev`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use millrace_testkit::wait::eventually;
use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::dev::{EXIT_TIMEOUT, dev};
use crate::http::client;
use crate::rows::{files, rows};

const LIVE_TIMEOUT: Duration = Duration::from_secs(30);

async fn logs(http: &Client, address: &str, path: &str, content_type: &str, body: String) {
    let request = http.post(format!("http://{address}{path}")).header("content-type", content_type).body(body);
    let answer = request.send().await.unwrap();
    let status = answer.status();
    assert!(
        matches!(status, StatusCode::OK | StatusCode::ACCEPTED),
        "{path}: {status}: {}",
        answer.text().await.unwrap()
    );
}

/// A thousand records of three kinds, in `more` requests of each.
async fn send(http: &Client, address: &str, name: &str) {
    for request in 0..10 {
        let json: Vec<_> = (0..40)
            .map(|line| json!({"level": "info", "msg": format!("{name} json {request}-{line}")}).to_string())
            .collect();
        logs(http, address, "/logs?service=shop", "application/x-ndjson", json.join("\n")).await;
        let text: Vec<_> =
            (0..40).map(|line| format!("2026-01-31T12:00:00Z INFO {name} text {request}-{line}")).collect();
        logs(http, address, "/logs?service=pay", "text/plain", text.join("\n")).await;
        let record = |line| {
            json!({
                "timeUnixNano": "1769860800000000000",
                "severityNumber": 9,
                "body": {"stringValue": format!("{name} otlp {request}-{line}")},
            })
        };
        let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "auth"}}]});
        let records: Vec<_> = (0..20).map(record).collect();
        let otlp = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
        logs(http, address, "/v1/logs", "application/json", otlp.to_string()).await;
    }
}

/// When each of the lake's files was written.
fn written(lake: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let paths = files(&lake.join("cleaned"), "parquet").into_iter();
    paths.map(|path| (path.clone(), fs::metadata(&path).unwrap().modified().unwrap())).collect()
}

/// Each record is one row, of its own format, seconds after it was sent; also of those that are sent just before the exit.
/// The next start cleans nothing again.
#[tokio::test(flavor = "multi_thread")]
async fn every_log_record_becomes_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let http = client();
    let (mut program, address) = dev(folder.path()).await;
    send(&http, &address, "live").await;
    eventually(LIVE_TIMEOUT, "a thousand rows are in the lake", async || (rows(&lake).len() == 1_000).then_some(()))
        .await;
    send(&http, &address, "last").await;
    assert!(program.terminate(EXIT_TIMEOUT).await.success(), "{}", program.stderr());

    let found = rows(&lake);
    assert_eq!(found.len(), 2_000, "each record is a row before the exit");
    assert!(found.values().all(|rows| rows.len() == 1), "no row is there twice");
    let mut kinds: BTreeMap<[String; 3], usize> = BTreeMap::new();
    for row in found.into_values().flatten() {
        let [service, format, body] = ["service", "format", "body"].map(|name| row[name].clone().unwrap());
        let mut words = body.split(' ').map(str::to_owned);
        let [name, kind] = [words.next().unwrap(), words.next().unwrap()];
        let expected = match kind.as_str() {
            "json" => ["shop", "json"],
            "text" => ["pay", "timestamped"],
            _ => ["auth", "otlp"],
        };
        assert_eq!([&*service, &*format], expected, "{body}");
        *kinds.entry([name, kind, service]).or_default() += 1;
    }
    assert!(kinds.values().all(|count| *count == 400 || *count == 200) && kinds.len() == 6, "{kinds:?}");

    let before = written(&lake);
    let (mut program, address) = dev(folder.path()).await;
    send(&http, &address, "later").await;
    assert!(program.terminate(EXIT_TIMEOUT).await.success(), "{}", program.stderr());
    assert_eq!(rows(&lake).len(), 3_000);
    let after = written(&lake);
    assert!(before.iter().all(|(path, time)| after.get(path) == Some(time)), "what was cleaned stays as it is");
}
