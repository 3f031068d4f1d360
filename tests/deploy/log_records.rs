//! Ten thousand log records over HTTPS, as text, as JSON and from OpenTelemetry's SDK: each is a row once and a record on
//! `cleaned-logs`, and the metrics are those that are computed of what was sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use millrace_testkit::kafka::Isolation;
use millrace_testkit::{Kafka, eventually};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::aws::Aws;
use crate::emulators::{Emulators, setting};
use crate::event::Api;
use crate::raw_logs::{last_windows, start_shipper};
use crate::rows::{Row, rows};
use crate::task::BOUND;
use crate::terraform::State;

/// Records of each service.
const EACH: usize = 2_500;

/// Records of a request.
const REQUEST: usize = 500;

/// Those of which each record has a time of its own.
const TIMED: [&str; 3] = ["ndjson", "array", "otlp"];

/// How often it is looked whether all are there.
const LOOKS: u32 = 4;

/// The record's time: 1.2 s after the one before.
fn time(first: Timestamp, number: usize) -> Timestamp {
    first + SignedDuration::from_millis(i64::try_from(number).unwrap() * 1_200)
}

fn is_error(number: usize) -> bool {
    number.is_multiple_of(10)
}

fn duration(number: usize) -> usize {
    1 + number * 7 % 100
}

fn record(first: Timestamp, number: usize) -> Value {
    let level = if is_error(number) { "error" } else { "info" };
    json!({"time": time(first, number), "level": level, "msg": format!("record {number}"), "duration_ms": duration(number)})
}

/// Sends all of them.
async fn send(api: &Api, folder: &Path, first: Timestamp) {
    for begin in (0..EACH).step_by(REQUEST) {
        let numbers = begin..begin + REQUEST;
        let records: Vec<Value> = numbers.clone().map(|number| record(first, number)).collect();
        let lines = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text + "\n").collect::<String>();
        let plain = lines(&mut numbers.map(|number| format!("record {number}")));
        let ndjson = lines(&mut records.iter().map(Value::to_string));
        for (service, content_type, body) in [
            ("ndjson", "application/x-ndjson", ndjson),
            ("array", "application/json", json!(records).to_string()),
            ("plain", "text/plain", plain),
        ] {
            let answer = api.post_logs(service, content_type, body).await;
            assert_eq!(answer["accepted"], REQUEST, "{answer}");
        }
    }
    let cache = setting("MILLRACE_SDKS_CACHE").join("python");
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/otlp/python/run");
    let mut command = Command::new(run);
    command.arg(api.url("/v1/logs")).arg(folder).arg(cache).arg("many.py").stdin(Stdio::null());
    command.env("COUNT", EACH.to_string()).env("FIRST", first.as_nanosecond().to_string());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(folder.join("sent")).unwrap(), EACH.to_string());
}

/// What the rows of a service's minute come to, by its number: rows, errors and their median duration.
fn expected(minute: usize, service: &str) -> (u64, u64, Option<f64>) {
    let numbers = (0..EACH).filter(|number| number * 1_200 / 60_000 == minute);
    let (count, errors) = (numbers.clone().count(), numbers.clone().filter(|&number| is_error(number)).count());
    let mut durations: Vec<usize> = numbers.map(duration).collect();
    durations.sort_unstable();
    let median = durations[(durations.len() - 1) / 2];
    (count as u64, errors as u64, (service != "otlp").then_some(f64::from(u32::try_from(median).unwrap())))
}

pub(crate) async fn are_each_a_row_once(root: &Aws, emulators: &Emulators, state: &State, kafka: &Kafka) {
    let folder = tempfile::tempdir().unwrap();
    let this_hour = Timestamp::from_second(Timestamp::now().as_second() / 3_600 * 3_600).unwrap();
    let first = this_hour - SignedDuration::from_hours(5);
    let mut shipper = start_shipper(root, state).await;
    send(&Api::of(emulators, state), folder.path(), first).await;

    let services: Vec<&str> = TIMED.into_iter().chain(["plain"]).collect();
    let is_sent = |service: &str| services.contains(&service);
    eventually(BOUND * LOOKS, "each record is on cleaned-logs", async || {
        shipper.assert_running();
        let records = kafka.read_all("cleaned-logs", Isolation::Committed).await;
        let sent = records.iter().filter(|record| record.key_text().is_some_and(is_sent));
        let ids: BTreeMap<&str, &str> =
            sent.map(|record| (record.header("ce_id").unwrap(), record.key_text().unwrap())).collect();
        services.iter().all(|service| ids.values().filter(|key| *key == service).count() == EACH).then_some(())
    })
    .await;
    let bucket = state.resource("module.millrace.aws_s3_bucket.data")["bucket"].as_str().unwrap();
    let found = eventually(BOUND, "each record is a row", async || {
        let lake = tempfile::tempdir().unwrap();
        for key in root.keys(bucket, "cleaned").await {
            let path = lake.path().join(&key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, root.object(bucket, &key).await).unwrap();
        }
        let rows: Vec<Row> = rows(lake.path()).into_values().flatten().collect();
        let found: Vec<Row> = rows.into_iter().filter(|row| row["service"].as_deref().is_some_and(is_sent)).collect();
        (found.len() >= services.len() * EACH).then_some(found)
    })
    .await;
    assert!(shipper.terminate(BOUND).await.success());
    let mut bodies: Vec<(String, String)> =
        found.iter().map(|row| (row["service"].clone().unwrap(), row["body"].clone().unwrap())).collect();
    bodies.sort();
    let mut sent: Vec<(String, String)> = services
        .iter()
        .flat_map(|service| (0..EACH).map(|number| ((*service).to_owned(), format!("record {number}"))))
        .collect();
    sent.sort();
    assert_eq!(bodies.len(), sent.len());
    assert!(bodies == sent, "each row once");
    for row in found.iter().filter(|row| row["service"].as_deref() != Some("plain")) {
        let number: usize = row["body"].as_deref().unwrap().strip_prefix("record ").unwrap().parse().unwrap();
        assert_eq!(row["time_ns"], Some(time(first, number).as_nanosecond().to_string()), "{row:?}");
    }

    eventually(BOUND, "the metrics are those of what was sent", async || {
        let windows = last_windows(kafka).await;
        let is_right = |minute: usize, service: &str| {
            let start = first + SignedDuration::from_mins(i64::try_from(minute).unwrap());
            let Some(window) = windows.get(&(service.to_owned(), start.to_string())) else { return false };
            let (count, errors, median) = expected(minute, service);
            let is_near = median.is_none_or(|median| {
                window["latency_ms"]["p50"].as_f64().is_some_and(|found| (found / median - 1.0).abs() < 0.011)
            });
            window["count"] == count && window["errors"] == errors && is_near
        };
        let last = (EACH - 1) * 1_200 / 60_000;
        TIMED.iter().all(|service| (0..=last).all(|minute| is_right(minute, service))).then_some(())
    })
    .await;
}
