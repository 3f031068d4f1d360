//! Rows of other programs, with timestamps that this program does not write.

use millrace_store::Store;
use sqlx::{Connection as _, SqliteConnection};

use crate::fixture::{Fixture, batch, row, write};

/// Reads the event and the notification `bad`, whose times are wrong, and then another event.
async fn assert_only_bad_rows_are_unreadable(store: &Store, wrong: &str) {
    let event = store.event("bad").await.unwrap_err().to_string();
    assert!(event.starts_with("cannot read an event") && event.contains("\"time\""), "{wrong}: {event}");
    let notification = store.notification("bad").await.unwrap_err().to_string();
    assert!(notification.starts_with("cannot read a notification"), "{wrong}: {notification}");
    assert!(store.event("good").await.unwrap().is_some(), "{wrong}");
}

#[tokio::test]
async fn a_timestamp_out_of_range_is_an_error_in_postgresql() {
    let Some(fixture) = Fixture::postgres().await else { return };
    write(&fixture.store, batch(None, 2, &[row("bad", "1", 1), row("good", "1", 1)])).await.unwrap();
    let mut other = fixture.connection().await;
    let notification = "
        INSERT INTO notifications (id, user_id, digest, accepted_at) VALUES ('bad', '1', '\\x00', now());
        INSERT INTO deliveries VALUES ('bad', '1', 'hook', 1, 'failed', now(), 'no')";
    sqlx::raw_sql(notification).execute(&mut other).await.unwrap();
    for wrong in ["infinity", "-infinity", "294276-12-31 23:59:59.999999+00", "10000-01-01 00:00:00+00"] {
        for update in
            ["UPDATE events SET time = $1::timestamptz WHERE id = 'bad'", "UPDATE deliveries SET at = $1::timestamptz"]
        {
            sqlx::query(update).bind(wrong).execute(&mut other).await.unwrap();
        }
        assert_only_bad_rows_are_unreadable(&fixture.store, wrong).await;
    }
}

#[tokio::test]
async fn a_timestamp_out_of_range_is_an_error_in_sqlite() {
    let Some(fixture) = Fixture::sqlite().await else { return };
    write(&fixture.store, batch(None, 2, &[row("bad", "1", 1), row("good", "1", 1)])).await.unwrap();
    let mut other = SqliteConnection::connect(fixture.url()).await.unwrap();
    let notification = "
        INSERT INTO notifications (id, user_id, digest, accepted_at) VALUES ('bad', '1', x'00', '');
        INSERT INTO deliveries VALUES ('bad', '1', 'hook', 1, 'failed', '', 'no')";
    sqlx::raw_sql(notification).execute(&mut other).await.unwrap();
    for wrong in [
        "",
        "infinity",
        "+294276-12-31T23:59:59.999999Z",
        "10000-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "1769860800",
    ] {
        for update in ["UPDATE events SET time = ? WHERE id = 'bad'", "UPDATE deliveries SET at = ?"] {
            sqlx::query(update).bind(wrong).execute(&mut other).await.unwrap();
        }
        assert_only_bad_rows_are_unreadable(&fixture.store, wrong).await;
    }
}
