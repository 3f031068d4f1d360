//! The stage `clean`.

use std::fs;

use millrace_domain::ErrorClass;
use serde_json::json;

use crate::lake::{Lake, RAW, gzip, lines};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_becomes_files_records_and_an_event() {
    let lake = Lake::new();
    let text = lines(&[(1, "shop", 9), (2, "pay", 10), (3, "shop", 9), (2, "pay", 10)]);
    lake.write(RAW, &gzip([text.as_bytes(), &[0x81; 40], b"\n"].concat()));
    let cleaned = lake.clean.run(RAW, 1).await.unwrap();
    let report = &cleaned.manifest.report;
    assert!(report.closes());
    assert_eq!((report.rows, report.duplicates, report.quarantined), (3, 1, 1));
    let files: Vec<_> = lake.files().into_keys().collect();
    let [ten, nine, quarantine, manifest] = &files[..] else { panic!("{files:?}") };
    assert!(ten.starts_with("cleaned/dt=2026-01-31/hour=10/") && nine.starts_with("cleaned/dt=2026-01-31/hour=9/"));
    assert!(quarantine.starts_with("quarantine/") && manifest.starts_with("stages/clean/"));

    let records = lake.records(3).await;
    assert_eq!(records.keys().collect::<Vec<_>>(), ["log-1", "log-2", "log-3"]);
    assert_eq!(records["log-2"][0]["body"], "line 2");
    assert_eq!(records["log-2"][0]["time"], "2026-01-31T10:00:00Z");
    let said = lake.said.0.lock().unwrap();
    let expected = json!({"stage": "clean", "object": RAW, "attempt": 1, "manifest": manifest, "rows": 3});
    assert_eq!(*said, [("Stage Completed".to_owned(), expected)]);
}

/// Each event three times, in another order: the same objects, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_again_in_any_order_change_nothing() {
    let lake = Lake::new();
    let object = |number: usize| RAW.replace("-0-0000", &format!("-{number}-0000"));
    for number in 0..4 {
        let records: Vec<_> = (0..200).map(|line| (number * 1_000 + line, "shop", 8 + line % 3)).collect();
        lake.write(&object(number), &gzip(lines(&records)));
    }
    for number in 0..4 {
        lake.clean.run(&object(number), 1).await.unwrap();
    }
    let before = lake.files();
    assert_eq!(before.len(), 4 * 3 + 4);
    let again = [3, 1, 2, 0, 0, 3, 2, 1].map(async |number| lake.clean.run(&object(number), 1).await);
    for cleaned in futures_util::future::join_all(again).await {
        assert!(cleaned.unwrap().was_done);
    }
    assert!(lake.files() == before);
    // Without the manifests, as after a kill before they were written.
    fs::remove_dir_all(lake.folder.path().join("stages")).unwrap();
    for number in [2, 0, 3, 1] {
        assert!(!lake.clean.run(&object(number), 2).await.unwrap().was_done);
    }
    assert!(lake.files() == before);
}

/// log-shipper replaces an object after a crash, with fewer records or more.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_earlier_content_go() {
    let lake = Lake::new();
    lake.write(RAW, &gzip(lines(&[(1, "shop", 9), (2, "shop", 10)])));
    lake.clean.run(RAW, 1).await.unwrap();
    assert_eq!(lake.cleaned().len(), 2);
    lake.write(RAW, &gzip(lines(&[(1, "shop", 9)])));
    let cleaned = lake.clean.run(RAW, 1).await.unwrap();
    assert!(!cleaned.was_done);
    assert_eq!(cleaned.manifest.report.rows, 1);
    let left = lake.cleaned();
    assert!(left.len() == 1 && left[0].contains("/hour=9/"), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_fails_for_good() {
    let lake = Lake::new();
    let error = lake.clean.run(RAW, 3).await.unwrap_err();
    assert_eq!((error.state(), error.class()), ("S3MissingFile", ErrorClass::Permanent));
    let said = lake.said.0.lock().unwrap();
    let reason = format!("there is no object {RAW}");
    let expected = json!({
        "stage": "clean", "object": RAW, "attempt": 3, "state": "S3MissingFile", "class": "permanent", "reason": reason,
    });
    assert_eq!(*said, [("Stage Failed".to_owned(), expected)]);
}

/// Without acknowledgements nothing is visible; once Kafka is there, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_acknowledged_are_not_in_the_lake() {
    let lake = Lake::without_kafka();
    lake.write(RAW, &gzip(lines(&[(1, "shop", 9), (2, "shop", 10)])));
    let error = lake.clean.run(RAW, 1).await.unwrap_err();
    assert_eq!((error.state(), error.class()), ("KafkaUnavailable", ErrorClass::Transient));
    assert_eq!(lake.files().len(), 0, "{:?}", lake.files().keys());

    let lake = lake.with_kafka();
    assert_eq!(lake.clean.run(RAW, 2).await.unwrap().manifest.report.rows, 2);
    assert_eq!(lake.records(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_object_keeps_the_lines_before() {
    let lake = Lake::new();
    let records: Vec<_> = (0..5_000).map(|number| (number, "shop", 9)).collect();
    let whole = gzip(lines(&records));
    lake.write(RAW, &whole[..whole.len() * 2 / 3]);
    let cleaned = lake.clean.run(RAW, 1).await.unwrap();
    let rows = cleaned.manifest.report.rows;
    assert!(cleaned.manifest.damage.is_some() && (1_000..5_000).contains(&rows), "{:?}", cleaned.manifest);
    assert_eq!(lake.records(usize::try_from(rows).unwrap()).await.len(), usize::try_from(rows).unwrap());
}

/// An empty object, and a row that the topic does not take as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_too_large_for_the_topic_is_shortened_there() {
    let lake = Lake::new();
    lake.write(RAW, b"");
    assert_eq!(lake.clean.run(RAW, 1).await.unwrap().manifest.report.rows, 0);
    assert_eq!(lake.cleaned().len(), 0);
    let trace = "\\n\\tat é".repeat(110_000);
    let line =
        format!("{{\"level\":\"error\",\"msg\":\"no{trace}\",\"order\":\"7\",\"more\":\"{}\"}}\n", "y".repeat(20_000));
    lake.write(RAW, &gzip(&line));
    lake.clean.run(RAW, 1).await.unwrap();
    let records = lake.records(1).await;
    let row = &records.values().next().unwrap()[0];
    assert_eq!(row["attributes"], json!({"order": "7", "truncated": "true"}));
    let body = row["body"].as_str().unwrap();
    assert!(body.starts_with("no\n\tat é") && (10_000..20_000).contains(&body.len()), "{}", body.len());
    assert_eq!(row["severity_text"], "error");
}
