//! PostgreSQL stops and starts again; a frozen owner is fenced.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_store::Store;
use millrace_testkit::{Postgres, eventually};

use crate::fixture::{batch, next_offset, row, stored, write};

const TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_store_reconnects_after_an_outage() {
    let Some(postgres) = Postgres::dedicated().await else { return };
    let database = postgres.database().await;
    let store = Store::connect(database.url()).await.unwrap();
    write(&store, batch(None, 1, &[row("a", "1", 1)])).await.unwrap();

    // In the middle of a transaction.
    let pending = store.write_events(batch(Some(1), 2, &[row("b", "2", 2)])).await.unwrap();
    postgres.crash().await;
    let lost = pending.commit().await.unwrap_err();
    assert_eq!(lost.class(), ErrorClass::Transient, "{lost}");
    let down = store.event("a").await.unwrap_err();
    assert_eq!(down.class(), ErrorClass::Transient, "{down}");

    postgres.start().await;
    let offset = eventually(TIMEOUT, "the store answers again", async || {
        store.next_offset("event-store", "events", 0).await.ok()
    });
    assert_eq!(offset.await, Some(1));
    write(&store, batch(Some(1), 2, &[row("b", "3", 3)])).await.unwrap();
    assert_eq!(stored(&store, ["a", "b"]).await.len(), 2);

    // A graceful stop ends open connections with an error.
    postgres.stop().await;
    postgres.start().await;
    assert_eq!(next_offset(&store).await, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_owner_blocks_the_next_one_for_a_bounded_time() {
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    let [frozen, next] = [database.url(); 2];
    let frozen = Store::connect(frozen).await.unwrap();
    let next = Store::connect(next).await.unwrap();
    let pending = frozen.write_events(batch(None, 5, &[row("frozen", "1", 1)])).await.unwrap();

    let waited = write(&next, batch(None, 3, &[row("next", "2", 2)])).await.unwrap_err();
    assert_eq!(waited.class(), ErrorClass::Transient, "{waited}");
    eventually(Duration::from_secs(60), "the next owner writes", async || {
        write(&next, batch(None, 3, &[row("next", "2", 2)])).await.ok()
    })
    .await;
    let fenced = pending.commit().await.unwrap_err();
    assert_eq!(fenced.class(), ErrorClass::Transient, "{fenced}");
    assert_eq!(next_offset(&next).await, Some(3));
    assert_eq!(stored(&next, ["frozen", "next"]).await.len(), 1);
}
