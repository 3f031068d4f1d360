//! Old rows are deleted in batches; young rows, notifications without an outcome, and offsets stay.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use millrace_store::{
    AcceptResult, Delivery, DeliveryStatus, EventRow, NewNotification, NotificationOutcome, NotificationResult,
    RetainedTable, Store,
};
use millrace_testkit::eventually;

use crate::fixture::{Fixture, batch, digest, next_offset, on_both, row, stored, time, write};

on_both! {
    events_are_deleted_oldest_first_in_batches
    offsets_stay_when_their_rows_are_deleted
    the_id_of_a_deleted_event_is_free
    ended_notifications_are_deleted_with_their_deliveries
    a_notification_stays_until_its_last_attempt_is_old
    concurrent_processes_build_the_index_once
}

const LIMIT: u32 = 1_000;

fn day(of: i64) -> Timestamp {
    time::<Timestamp>("2026-01-01T12:00:00Z").checked_add((of * 24).hours()).unwrap()
}

fn received(id: &str, on: i64) -> EventRow<'_> {
    EventRow { received_at: day(on), ..row(id, "1", 1) }
}

async fn delete(store: &Store, table: RetainedTable, before: i64, limit: u32) -> u64 {
    assert!(store.prepare_retention(table).await.unwrap());
    store.delete_older(table, day(before), limit).await.unwrap()
}

async fn events_are_deleted_oldest_first_in_batches(Fixture { store, .. }: Fixture) {
    let rows = [received("d4", 4), received("d1", 1), received("d3", 3), received("d2", 2)];
    write(&store, batch(None, 4, &rows)).await.unwrap();
    let left = async || stored(&store, ["d1", "d2", "d3", "d4"]).await.into_keys().collect::<Vec<_>>();
    assert_eq!(delete(&store, RetainedTable::Events, 4, 2).await, 2);
    assert_eq!(left().await, ["d3", "d4"]);
    assert_eq!(delete(&store, RetainedTable::Events, 4, 2).await, 1, "a row of exactly that time is not older");
    assert_eq!(left().await, ["d4"]);
    assert_eq!(delete(&store, RetainedTable::Events, 4, 2).await, 0);
}

async fn offsets_stay_when_their_rows_are_deleted(Fixture { store, .. }: Fixture) {
    write(&store, batch(None, 7, &[received("a", 1)])).await.unwrap();
    assert_eq!(delete(&store, RetainedTable::Events, 2, LIMIT).await, 1);
    assert_eq!(next_offset(&store).await, Some(7));
    assert_eq!(write(&store, batch(Some(7), 8, &[received("b", 3)])).await.unwrap(), []);
}

async fn the_id_of_a_deleted_event_is_free(Fixture { store, .. }: Fixture) {
    write(&store, batch(None, 1, &[received("a", 1)])).await.unwrap();
    assert_eq!(delete(&store, RetainedTable::Events, 2, LIMIT).await, 1);
    let other = EventRow { data: "2", digest: digest(2), ..received("a", 3) };
    assert_eq!(write(&store, batch(Some(1), 2, &[other])).await.unwrap(), []);
    assert_eq!(stored(&store, ["a"]).await["a"], "2");
}

async fn accept(store: &Store, id: &str, on: i64) -> AcceptResult {
    let new = NewNotification { id, user_id: "12345", digest: digest(1), accepted_at: day(on), is_synthetic_id: false };
    store.accept_notifications(&[new]).await.unwrap().remove(0)
}

async fn attempt(store: &Store, id: &str, on: i64, outcome: Option<NotificationOutcome>) {
    let status = DeliveryStatus::Failed;
    let (user_id, destination) = ("12345", "hook");
    let delivery = Delivery { event_id: id, user_id, destination, attempt: 1, status, at: day(on), error: Some("503") };
    let result = outcome.map(|outcome| NotificationResult { event_id: id, outcome });
    store.record_deliveries(&[delivery], result.as_slice()).await.unwrap();
}

async fn ended_notifications_are_deleted_with_their_deliveries(Fixture { store, .. }: Fixture) {
    let failed = Some(NotificationOutcome::Failed);
    for (id, on, outcome) in [("old", 1, failed), ("open", 1, None), ("young", 3, failed)] {
        accept(&store, id, on).await;
        attempt(&store, id, on, outcome).await;
    }
    assert_eq!(delete(&store, RetainedTable::Notifications, 2, LIMIT).await, 1);
    assert_eq!(store.notification("old").await.unwrap(), None);
    for id in ["open", "young"] {
        assert_eq!(store.notification(id).await.unwrap().unwrap().deliveries.len(), 1, "{id}");
    }
    // A new notification under its id starts afresh.
    assert_eq!(accept(&store, "old", 3).await, AcceptResult::New);
    assert!(store.notification("old").await.unwrap().unwrap().deliveries.is_empty());
}

async fn a_notification_stays_until_its_last_attempt_is_old(Fixture { store, .. }: Fixture) {
    accept(&store, "slow", 1).await;
    attempt(&store, "slow", 3, Some(NotificationOutcome::Failed)).await;
    assert_eq!(delete(&store, RetainedTable::Notifications, 2, LIMIT).await, 0);
    assert_eq!(delete(&store, RetainedTable::Notifications, 4, LIMIT).await, 1);
}

async fn concurrent_processes_build_the_index_once(fixture: Fixture) {
    let stores = [fixture.store.clone(), Store::connect(fixture.url()).await.unwrap()];
    write(&fixture.store, batch(None, 1, &[received("a", 1)])).await.unwrap();
    let builds: Vec<_> = (0..8)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.prepare_retention(RetainedTable::Events).await.unwrap() })
        })
        .collect();
    let mut built = false;
    for build in builds {
        built |= build.await.unwrap();
    }
    assert!(built);
    assert!(stores[1].prepare_retention(RetainedTable::Events).await.unwrap(), "it exists for all");
}

/// A row locked by a transaction of another process is left for the next batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_does_not_block_the_others() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let rows = [received("a", 1), received("b", 1)];
    write(&fixture.store, batch(None, 2, &rows)).await.unwrap();
    let mut other = fixture.connection().await;
    sqlx::raw_sql("BEGIN; SELECT FROM events WHERE id = 'a' FOR UPDATE").execute(&mut other).await.unwrap();
    assert_eq!(delete(&fixture.store, RetainedTable::Events, 2, LIMIT).await, 1);
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(delete(&fixture.store, RetainedTable::Events, 2, LIMIT).await, 1);
}

/// An interrupted `CREATE INDEX CONCURRENTLY` leaves an invalid index.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_build_was_interrupted_is_built_again() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let mut other = fixture.connection().await;
    assert!(fixture.store.prepare_retention(RetainedTable::Events).await.unwrap());
    let break_it = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_received_at'::regclass";
    sqlx::raw_sql(break_it).execute(&mut other).await.unwrap();
    // The server ends the first build's session, and with it its lock, some time after the client has closed it.
    eventually(Duration::from_secs(30), "the index is built again", async || {
        fixture.store.prepare_retention(RetainedTable::Events).await.unwrap().then_some(())
    })
    .await;
    let is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'events_received_at'::regclass";
    assert!(sqlx::query_scalar::<_, bool>(is_valid).fetch_one(&mut other).await.unwrap());
}
