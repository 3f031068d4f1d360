//! The consumer that writes files, without Kafka.

use std::fs;
use std::path::Path;
use std::time::Duration;

use millrace_consumer::{Attempt, Outcome, Processor as _};
use millrace_kafka::Record;
use millrace_login_insights::{Files, Settings};
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;

const INSIGHT: &str = r#"{"id":"8f14e45f-ceea-567a-9b9a-3f2f5ba1c2d3","batch_size":1,"start_time":"2026-01-31T12:00:00.5Z","end_time":"2026-01-31T12:00:01Z"}"#;

const NAME: &str = "insights_20260131T120000Z_20260131T120001Z_8f14e45f-ceea-567a-9b9a-3f2f5ba1c2d3.json";

fn files(data_dir: &Path) -> Files {
    let settings = Settings { batch_age: Duration::from_secs(10), insights_to: None };
    Files::from_settings(&settings, data_dir).unwrap()
}

async fn process(files: &Files, value: &str) -> Outcome {
    let (topic, time) = ("processed-data".to_owned(), Timestamp::NotAvailable);
    let record = OwnedMessage::new(Some(value.into()), None, topic, time, 0, 7, None);
    files.process(&Record::from(record), &Attempt::first()).await
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn writing_a_file_again_is_idempotent() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("not there yet");
    let files = files(&data_dir);
    for _ in 0..2 {
        assert_eq!(process(&files, INSIGHT).await, Outcome::DONE);
        assert_eq!(names(&data_dir.join("insights")), [NAME]);
        assert_eq!(fs::read_to_string(data_dir.join("insights").join(NAME)).unwrap(), INSIGHT);
    }
}

#[tokio::test]
async fn a_record_that_is_not_an_insight_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    for value in ["plain text", "{}", r#"{"id":"../../x","start_time":"2026-01-31T12:00:00Z","end_time":"…"}"#] {
        assert_eq!(process(&files, value).await, Outcome::DONE, "{value}");
    }
    assert_eq!(names(folder.path()), [] as [String; 0]);
}

#[tokio::test]
async fn a_failed_write_is_retried() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let obstacle = folder.path().join("insights");
    fs::write(&obstacle, "a file where the folder should be").unwrap();
    match process(&files, INSIGHT).await {
        Outcome::Retry { reason, .. } => assert!(reason.contains("insights"), "{reason}"),
        other => panic!("not retried: {other:?}"),
    }
    fs::remove_file(&obstacle).unwrap();
    assert_eq!(process(&files, INSIGHT).await, Outcome::DONE);
    assert_eq!(names(&obstacle), [NAME]);
}
