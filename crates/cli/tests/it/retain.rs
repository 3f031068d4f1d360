//! `--retain`: old rows of the database are deleted while the consumers run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use millrace_store::{
    EventBatch, EventRow, NewNotification, NotificationOutcome, NotificationResult, Store, sqlite_url,
};
use millrace_testkit::eventually;

use crate::millrace::Millrace;

/// A database with events of an hour ago and of now (`old`, `young`), and notifications (`delivered`, `new`).
async fn database(url: &str) -> Store {
    let store = Store::connect(url).await.unwrap();
    let (now, hour) = (Timestamp::now(), SignedDuration::from_hours(1));
    let event = |id, received_at| EventRow {
        id,
        event_type: "millrace.event.registered",
        source: "/millrace/edge",
        offset: 0,
        key: None,
        time: now.into(),
        received_at,
        data: "{}",
        digest: [1; 32],
        is_synthetic_id: false,
    };
    let rows = [event("old", now - hour), event("young", now)];
    let (consumer, topic, partition) = ("event-store", "events", 0);
    let batch = EventBatch { consumer, topic, partition, expected: None, next: 2, rows: &rows };
    store.write_events(batch).await.unwrap().commit().await.unwrap();
    let notification = |id, accepted_at| NewNotification {
        id,
        user_id: "12345",
        digest: [1; 32],
        accepted_at,
        is_synthetic_id: false,
    };
    store.accept_notifications(&[notification("delivered", now - hour), notification("new", now)]).await.unwrap();
    let ended = |event_id| NotificationResult { event_id, outcome: NotificationOutcome::Delivered };
    store.record_deliveries(&[], &[ended("delivered"), ended("new")]).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_deletes_rows_that_are_older_than_retain() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("kept.db"));
    let store = database(&url).await;
    let settings = ["--database", &url, "--retain", "30m", "--log", "info"];
    let dev = Millrace::new(["dev", "--listen", "127.0.0.1:0"].into_iter().chain(settings)).start();
    eventually(Duration::from_secs(60), "the old rows are gone", async || {
        let left = (store.event("old").await.unwrap(), store.notification("delivered").await.unwrap());
        (left == (None, None)).then_some(())
    })
    .await;
    assert!(store.event("young").await.unwrap().is_some());
    assert!(store.notification("new").await.unwrap().is_some());
    dev.signal("TERM");
    let ended = dev.end().await;
    for table in ["events", "notifications"] {
        let line = format!(r#""message":"old rows deleted","table":"{table}","rows":1,"#);
        assert!(ended.stderr.contains(&line), "no {line:?} in {ended:?}");
    }
}

#[tokio::test]
async fn a_retention_time_that_is_too_short_is_rejected() {
    let ended = Millrace::new(["dev", "--retain", "5s"]).run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--retain") && ended.stderr.contains("from 1m to 100 years"), "{ended:?}");
}
