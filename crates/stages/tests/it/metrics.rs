//! The stage `metrics`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use millrace_domain::ErrorClass;
use millrace_lake::metrics::HourFile;
use serde_json::{Value, json};

use crate::lake::{Lake, RAW, gzip};

/// A raw object's name by its number.
fn raw(number: usize) -> String {
    RAW.replace("-0-0000", &format!("-{number}-0000"))
}

/// Records of a service at 9 o'clock: minute, whether it is an error, milliseconds.
fn records(first: usize, service: &str, records: &[(usize, bool, f64)]) -> Vec<u8> {
    let lines = (first..).zip(records).map(|(number, (minute, is_error, milliseconds))| {
        let level = if *is_error { "error" } else { "info" };
        let record = json!({
            "level": level, "time": format!("2026-01-31T09:{minute:02}:30Z"), "msg": "x", "duration_ms": milliseconds,
        });
        json!({"millrace": {"id": format!("log-{number}"), "service": service, "at": "2026-01-31T12:00:00Z"}, "record": record})
            .to_string()
            + "\n"
    });
    gzip(lines.collect::<String>())
}

impl Lake {
    /// Cleans a raw object; the paths of its files of rows.
    async fn rows(&self, object: &str, content: &[u8]) -> Vec<String> {
        self.write(object, content);
        let files = self.clean.run(object, 1).await.unwrap().manifest.files;
        files.into_iter().filter(|file| file.starts_with("cleaned/")).collect()
    }

    fn hour(&self) -> HourFile {
        let path = self.folder.path().join("metrics/dt=2026-01-31/hour=9/metrics.parquet");
        HourFile::from_bytes(Bytes::from(fs::read(path).unwrap())).unwrap()
    }

    /// Rows and errors by service and minute.
    fn counts(&self) -> BTreeMap<(String, i64), (u64, u64)> {
        let windows = self.hour().windows.0.into_iter();
        windows.map(|((start, service), window)| ((service, start / 60 % 60), (window.count, window.errors))).collect()
    }

    /// The last record of each window on the topic.
    async fn windows(&self, count: usize) -> BTreeMap<(String, String), Value> {
        let records = self.records_of("metrics", count).await.into_iter();
        let text = |value: &Value, field: &str| value[field].as_str().unwrap().to_owned();
        records.map(|(_, value)| ((text(&value, "service"), text(&value, "window_start")), value)).collect()
    }
}

fn counted(counts: &[(&str, i64, u64, u64)]) -> BTreeMap<(String, i64), (u64, u64)> {
    counts.iter().map(|(service, minute, rows, errors)| (((*service).to_owned(), *minute), (*rows, *errors))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hours_rows_become_its_metrics_records_and_an_event() {
    let lake = Lake::new();
    let pay = records(0, "pay", &[(1, false, 20.0), (1, true, 700.0), (2, false, 30.0)]);
    let [file] = &lake.rows(&raw(0), &pay).await[..] else { panic!("one file") };
    lake.said.0.lock().unwrap().clear();
    let done = lake.metrics.run(file, 1).await.unwrap();
    assert_eq!(
        (done.metrics.as_str(), done.windows, done.files),
        ("metrics/dt=2026-01-31/hour=9/metrics.parquet", 2, 1)
    );
    assert_eq!(lake.counts(), counted(&[("pay", 1, 2, 1), ("pay", 2, 1, 0)]));

    let windows = lake.windows(2).await;
    let window = &windows[&("pay".to_owned(), "2026-01-31T09:01:00Z".to_owned())];
    let latency = &window["latency_ms"];
    assert_eq!((&latency["count"], &latency["max"]), (&json!(2), &json!(700.0)));
    assert!((latency["p50"].as_f64().unwrap() / 20.0 - 1.0).abs() < 0.011, "{latency}");
    let mut rest = window.clone();
    rest.as_object_mut().unwrap().remove("latency_ms");
    let expected = json!({
        "service": "pay", "window_start": "2026-01-31T09:01:00Z", "window_seconds": 60,
        "count": 2, "errors": 1, "error_rate": 0.5, "late": true,
    });
    assert_eq!(rest, expected);
    let said = lake.said.0.lock().unwrap();
    let expected = json!({"stage": "metrics", "object": file, "attempt": 1, "manifest": done.metrics, "rows": 2});
    assert_eq!(*said, [("Stage Completed".to_owned(), expected)]);
}

/// Each event three times, in another order, several at once: the same file, byte for byte, and the last record of each
/// window on the topic is the right one.
#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_and_at_once_come_to_the_same() {
    let lakes = [Lake::new(), Lake::new()];
    let mut all = Vec::new();
    for (lake, order) in lakes.iter().zip([[0, 1, 2, 3, 4], [3, 0, 4, 2, 1]]) {
        let mut files = Vec::new();
        for (number, latency) in [0.1, 0.2, 0.3, 0.4, 0.5].into_iter().enumerate() {
            let content =
                records(number * 10, "pay", &[(1, number == 2, latency), (2, false, 0.7), (number + 3, true, 9.3)]);
            files.extend(lake.rows(&raw(number), &content).await);
        }
        assert_eq!(files.len(), 5);
        let events =
            order.iter().chain(&order).chain(&order).map(|&number: &usize| lake.metrics.run(&files[number], 1));
        for done in futures_util::future::join_all(events).await {
            done.unwrap();
        }
        let expected = [
            ("pay", 1, 5, 1),
            ("pay", 2, 5, 0),
            ("pay", 3, 1, 1),
            ("pay", 4, 1, 1),
            ("pay", 5, 1, 1),
            ("pay", 6, 1, 1),
            ("pay", 7, 1, 1),
        ];
        assert_eq!(lake.counts(), counted(&expected));
        let last = lake.windows(7).await;
        let counts: Vec<_> = last.values().map(|window| window["count"].as_u64().unwrap()).collect();
        assert_eq!(counts, [5, 5, 1, 1, 1, 1, 1]);
        // A folder's versions have the files' times; a bucket's do not.
        let mut hour = lake.hour();
        hour.made_of.values_mut().for_each(String::clear);
        all.push(hour.to_bytes().unwrap());
    }
    assert!(all[0] == all[1], "the bytes do not depend on the order");
}

/// Rows that come an hour later are added; those of a file that was replaced, or is gone, go.
#[tokio::test(flavor = "multi_thread")]
async fn late_rows_are_added_and_replaced_ones_go() {
    let lake = Lake::new();
    let first = lake.rows(&raw(0), &records(0, "pay", &[(1, false, 20.0), (1, true, 700.0)])).await;
    lake.metrics.run(&first[0], 1).await.unwrap();
    let delayed = lake.rows(&raw(1), &records(10, "pay", &[(1, false, 20.0)])).await;
    assert_eq!(lake.metrics.run(&delayed[0], 1).await.unwrap().files, 1, "what is counted is not read again");
    assert_eq!(lake.counts(), counted(&[("pay", 1, 3, 1)]));
    // The object comes again with another content: its file of rows is replaced.
    let again = lake.rows(&raw(0), &records(0, "pay", &[(4, false, 20.0)])).await;
    assert_eq!(again, first);
    assert_eq!(lake.metrics.run(&again[0], 1).await.unwrap().files, 2);
    assert_eq!(lake.counts(), counted(&[("pay", 1, 1, 0), ("pay", 4, 1, 0)]));
    fs::remove_file(lake.folder.path().join(&delayed[0])).unwrap();
    lake.metrics.run(&delayed[0], 1).await.unwrap();
    assert_eq!(lake.counts(), counted(&[("pay", 4, 1, 0)]));
    // A window that has no rows any more says so on the topic, too.
    let windows = lake.windows(5).await;
    let counts: Vec<_> = windows.values().map(|window| window["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_that_are_not_acknowledged_are_not_in_the_lake_and_come_later() {
    let lake = Lake::new();
    let files = lake.rows(&raw(0), &records(0, "pay", &[(1, false, 20.0)])).await;
    let content = fs::read(lake.folder.path().join(&files[0])).unwrap();

    let lake = Lake::without_kafka();
    lake.write(&files[0], &content);
    let error = lake.metrics.run(&files[0], 1).await.unwrap_err();
    assert_eq!((error.state(), error.class()), ("KafkaUnavailable", ErrorClass::Transient));
    assert!(!lake.files().contains_key("metrics/dt=2026-01-31/hour=9/metrics.parquet"));
    let lake = lake.with_kafka();
    lake.metrics.run(&files[0], 2).await.unwrap();
    assert_eq!(lake.windows(1).await.len(), 1);
    // An attempt that ended after it had written the file, and before anybody was told: the records come again.
    lake.metrics.run(&files[0], 2).await.unwrap();
    assert_eq!(lake.records_of("metrics", 2).await.len(), 2);
}

/// One bad file takes nothing from the others of its hour; nor do metrics that are damaged.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_counted_is_said_and_the_rest_counts() {
    let lake = Lake::new();
    let files = lake.rows(&raw(0), &records(0, "pay", &[(1, false, 20.0)])).await;
    let bad = "cleaned/dt=2026-01-31/hour=9/bad-0.parquet";
    lake.write(bad, b"no rows");
    lake.said.0.lock().unwrap().clear();
    // It is read again until the bus was told. (The second event says that the bus did not take the first.)
    lake.said.1.store(2, Ordering::SeqCst);
    assert_eq!(lake.metrics.run(bad, 1).await.unwrap_err().state(), "BusUnavailable");
    let error = lake.metrics.run(bad, 2).await.unwrap_err();
    assert_eq!((error.state(), error.class()), ("MetricsGenerationFailed", ErrorClass::Permanent));
    assert_eq!(lake.counts(), counted(&[("pay", 1, 1, 0)]));
    {
        let said = lake.said.0.lock().unwrap();
        let [(kind, failed)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(kind, "Stage Failed");
        assert_eq!(
            (&failed["object"], &failed["state"], &failed["class"]),
            (&bad.into(), &"MetricsGenerationFailed".into(), &"permanent".into())
        );
        assert!(failed["reason"].as_str().unwrap().contains("not readable as Parquet"), "{failed}");
    }
    // Another file's event says so as well, once.
    lake.write("cleaned/dt=2026-01-31/hour=9/other-0.parquet", b"no rows");
    lake.metrics.run(&files[0], 1).await.unwrap();
    lake.metrics.run(&files[0], 1).await.unwrap();
    let failed =
        |said: &(String, Value)| said.0 == "Stage Failed" && said.1["object"].as_str().unwrap().contains("other");
    assert_eq!(lake.said.0.lock().unwrap().iter().filter(|said| failed(said)).count(), 1);
    // It is read again when it is replaced.
    lake.write(bad, &fs::read(lake.folder.path().join(&files[0])).unwrap());
    lake.metrics.run(bad, 1).await.unwrap();
    assert_eq!(lake.counts(), counted(&[("pay", 1, 2, 0)]));

    lake.write("metrics/dt=2026-01-31/hour=9/metrics.parquet", b"damaged");
    lake.metrics.run(&files[0], 1).await.unwrap();
    assert_eq!(lake.counts(), counted(&[("pay", 1, 2, 0)]));

    let error = lake.metrics.run("cleaned/elsewhere.parquet", 1).await.unwrap_err();
    assert_eq!((error.state(), error.class()), ("ObjectName", ErrorClass::Permanent));
}

/// While an hour is counted anew its metrics are those of before.
#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_is_counted_anew_is_replaced_whole() {
    let lake = Lake::new();
    let mut files = Vec::new();
    for number in 0..4 {
        files.extend(lake.rows(&raw(number), &records(number * 10, "pay", &[(1, false, 1.0)])).await);
    }
    // A pass for each file.
    let metrics = lake.metrics.clone().with_pass_time(Duration::ZERO);
    metrics.run(&files[0], 1).await.unwrap();
    assert_eq!(lake.counts(), counted(&[("pay", 1, 4, 0)]));
    fs::remove_file(lake.folder.path().join(&files[3])).unwrap();
    let done = metrics.run(&files[0], 1).await.unwrap();
    assert_eq!(done.files, 3);
    assert_eq!(lake.counts(), counted(&[("pay", 1, 3, 0)]));
    let counts: Vec<_> =
        lake.records_of("metrics", 5).await.iter().map(|(_, window)| window["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 2, 3, 4, 3], "what the hour has, and never less");
    assert!(lake.files().contains_key("stages/metrics/dt=2026-01-31/hour=9.parquet"));
}
