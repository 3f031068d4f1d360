//! An empty store on each database, rows and batches.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::str::FromStr;

use millrace_domain::Digest;
use millrace_store::{EventBatch, EventRow, Refused, Store, StoreError, sqlite_url};
use millrace_testkit::Postgres;
use millrace_testkit::postgres::Database;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// A database for one test, and a store on it.
pub(crate) struct Fixture {
    pub store: Store,
    url: String,
    // After the store: fields drop in their order.
    _folder: Option<TempDir>,
    _database: Option<Database>,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let url = sqlite_url(&folder.path().join("a store.db"));
        Some(Self { store: Store::connect(&url).await.unwrap(), url, _folder: Some(folder), _database: None })
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let database = Postgres::shared().await?.database().await;
        let url = database.url().to_owned();
        Some(Self { store: Store::connect(&url).await.unwrap(), url, _folder: None, _database: Some(database) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A session of another client in PostgreSQL.
    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.url.strip_prefix("sqlite://").map(|path| path.replace("%20", " ").into())
    }
}

/// Runs an async function of a [`Fixture`] as a test on each database.
macro_rules! on_both {
    ($($(#[$attribute:meta])* $test:ident)+) => {
        mod sqlite {
            $(
                $(#[$attribute])*
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    let Some(fixture) = crate::fixture::Fixture::sqlite().await else { return };
                    super::$test(fixture).await;
                }
            )+
        }
        mod postgres {
            $(
                $(#[$attribute])*
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    let Some(fixture) = crate::fixture::Fixture::postgres().await else { return };
                    super::$test(fixture).await;
                }
            )+
        }
    };
}
pub(crate) use on_both;

pub(crate) const CONSUMER: &str = "event-store";
pub(crate) const TOPIC: &str = "events";

pub(crate) fn time<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn digest(of: u8) -> Digest {
    [of; 32]
}

/// A row whose payload is a number.
pub(crate) fn row<'a>(id: &'a str, data: &'a str, digest_of: u8) -> EventRow<'a> {
    EventRow {
        id,
        event_type: "millrace.event.registered",
        source: "/millrace/edge",
        offset: 0,
        key: Some("user-1"),
        time: time("2026-01-31T12:00:00Z"),
        received_at: time("2026-01-31T12:00:00.25Z"),
        data,
        digest: digest(digest_of),
        is_synthetic_id: false,
    }
}

/// A batch of partition 0.
pub(crate) fn batch<'a>(expected: Option<i64>, next: i64, rows: &'a [EventRow<'a>]) -> EventBatch<'a> {
    EventBatch { consumer: CONSUMER, topic: TOPIC, partition: 0, expected, next, rows }
}

/// Writes and commits; returns the refused rows.
pub(crate) async fn write(store: &Store, batch: EventBatch<'_>) -> Result<Vec<Refused>, StoreError> {
    let pending = store.write_events(batch).await?;
    let refused = pending.refused().to_vec();
    pending.commit().await?;
    Ok(refused)
}

pub(crate) async fn next_offset(store: &Store) -> Option<i64> {
    store.next_offset(CONSUMER, TOPIC, 0).await.unwrap()
}

/// The payloads that are stored under these ids.
pub(crate) async fn stored<'a>(store: &Store, ids: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut stored = BTreeMap::new();
    for id in ids {
        if let Some(event) = store.event(id).await.unwrap() {
            stored.insert(event.id, event.data);
        }
    }
    stored
}
