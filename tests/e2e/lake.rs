//! Log records from HTTP to the lake's rows, metrics and alerts, live in `millrace dev`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use millrace_testkit::wait::eventually;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::dev::{EXIT_TIMEOUT, dev};
use crate::http::client;
use crate::program::{Program, path};
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

/// Lines of a service for the minutes before this one: of twenty two are errors, and for three minutes eleven.
fn lines_with_an_outage() -> Vec<String> {
    let this_minute = Timestamp::now().as_second() / 60 * 60;
    let line = |minutes_ago: i64, number: i64| {
        let is_out = (13..16).contains(&minutes_ago);
        let is_error = number < 2 || is_out && number % 2 == 0;
        let time = Timestamp::from_second(this_minute - minutes_ago * 60 + number).unwrap();
        let level = if is_error { "error" } else { "info" };
        json!({"time": time, "level": level, "msg": "paid", "duration_ms": number}).to_string()
    };
    (1..=40).rev().flat_map(|minutes_ago| (0..20).map(move |number| line(minutes_ago, number))).collect()
}

/// What is unusual of the records is told once, with its end; and the report has what a count of the lines has.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_once_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, address) = dev(folder.path()).await;
    let lines = lines_with_an_outage();
    logs(&client(), &address, "/logs?service=pay", "application/x-ndjson", lines.join("\n")).await;
    let told = |program: &Program, word: &str| {
        let lines = program.stdout().into_iter();
        lines.filter(|line| line.starts_with(word)).collect::<Vec<_>>()
    };
    eventually(LIVE_TIMEOUT, "the end of the outage is told", async || {
        (!told(&program, "RESOLVED").is_empty()).then_some(())
    })
    .await;
    assert_eq!(told(&program, "ALERT"), ["ALERT pay: 55 % errors, expected 10 %"]);
    assert_eq!(told(&program, "RESOLVED"), ["RESOLVED pay: over: many errors"]);
    assert!(program.terminate(EXIT_TIMEOUT).await.success(), "{}", program.stderr());

    let lake = folder.path().join("lake");
    let report = ["lake", "report", "--json", "--lake", lake.to_str().unwrap()];
    let report = std::process::Command::new(path("millrace")).args(report).output().unwrap();
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let [pay] = &report["services"].as_array().unwrap()[..] else { panic!("{report}") };
    let mut expected: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in lines {
        let line: Value = serde_json::from_str(&line).unwrap();
        let minute = format!("{}:00Z", &line["time"].as_str().unwrap()[..16]);
        let (rows, errors) = expected.entry(minute).or_default();
        *rows += 1;
        *errors += u64::from(line["level"] == "error");
    }
    let number = |window: &Value, name: &str| window[name].as_u64().unwrap();
    let windows = pay["windows"].as_array().unwrap().iter();
    let windows = windows.map(|window| {
        assert_eq!(window["latency_ms"]["max"], 19.0);
        let start = window["window_start"].as_str().unwrap().to_owned();
        (start, (number(window, "count"), number(window, "errors")))
    });
    assert_eq!(windows.collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(report["outages"].as_array().unwrap().len(), 1);
    // The files are there for others as well.
    assert!(!files(&lake.join("metrics"), "parquet").is_empty());
}
