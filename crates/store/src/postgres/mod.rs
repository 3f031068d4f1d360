//! PostgreSQL.

mod bisect;
mod events;
mod migrate;
mod notifications;
mod retention;

pub(crate) use retention::{delete_older, ensure_index};

use std::collections::HashMap;
use std::time::Duration;

use millrace_domain::Digest;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection, PgPool};
use tokio::time::timeout;

use crate::id_conflicts::Fates;
use crate::tables::{IdTable, Tables};
use crate::{
    Delivery, EventBatch, NewNotification, NotificationResult, Progress, StoreError, StoredEvent, StoredNotification,
};

/// How long a caller waits for a connection, the time to make one included.
const ACQUIRE: Duration = Duration::from_secs(5);

/// A process writes a few partitions at once and reads a row now and then; servers have about a hundred for all.
const MAX_CONNECTIONS: u32 = 10;

/// What a session gives up on. A frozen process holds the lock of its partition in a quiet transaction: the server
/// ends that, and meanwhile the partition's next owner is told to try again rather than kept waiting.
const LIMITS: &str = "SET lock_timeout = '10s'; \
                      SET idle_in_transaction_session_timeout = '30s'; \
                      SET statement_timeout = '60s'";

/// Migrates, and then makes connections as they are asked for. A broken one is found out when it is next asked for,
/// and replaced.
pub(crate) async fn open(options: PgConnectOptions, url: &str) -> Result<PgPool, StoreError> {
    // A pool would keep trying, and then say that it ran out of time instead of why.
    let connecting = timeout(ACQUIRE, options.connect()).await;
    let silent = |_| StoreError::Unreachable { url: url.to_owned(), reason: format!("no answer in {ACQUIRE:?}") };
    let connection = connecting.map_err(silent)?.map_err(StoreError::opening(url))?;
    migrate::run(connection).await.map_err(|error| error.opening(url))?;
    Ok(PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(LIMITS).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options))
}

async fn digests(
    connection: &mut PgConnection,
    table: IdTable,
    ids: &[&str],
) -> Result<HashMap<String, Digest>, sqlx::Error> {
    let select = match table {
        IdTable::Events => "SELECT id, digest FROM events WHERE id = ANY($1)",
        IdTable::Notifications => "SELECT id, digest FROM notifications WHERE id = ANY($1)",
    };
    let stored: Vec<(String, Digest)> = sqlx::query_as(select).bind(ids).fetch_all(connection).await?;
    Ok(stored.into_iter().collect())
}

impl Tables for PgConnection {
    /// Writers of one table go together, and neither goes with those of the other.
    async fn begin_naming(&mut self, table: IdTable) -> Result<(), sqlx::Error> {
        let lock = match table {
            IdTable::Events => "LOCK TABLE names IN SHARE MODE",
            IdTable::Notifications => "LOCK TABLE names IN ROW EXCLUSIVE MODE",
        };
        sqlx::query(lock).execute(&mut *self).await.map(drop)
    }

    async fn digests(&mut self, table: IdTable, ids: &[&str]) -> Result<HashMap<String, Digest>, sqlx::Error> {
        digests(self, table, ids).await
    }

    async fn move_offset(&mut self, batch: &EventBatch<'_>) -> Result<bool, sqlx::Error> {
        events::move_offset(self, batch).await
    }

    async fn forget_events(&mut self, others_than: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
        events::forget(self, others_than).await
    }

    async fn forget_notifications(&mut self, others_than: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
        notifications::forget(self, others_than).await
    }

    async fn insert_events(&mut self, batch: &EventBatch<'_>, rows: &[usize]) -> Result<Fates, sqlx::Error> {
        bisect::insert(self, &events::Events(batch.topic, batch.partition, batch.rows), rows).await
    }

    async fn insert_notifications(
        &mut self,
        notifications: &[NewNotification<'_>],
        rows: &[usize],
    ) -> Result<Fates, sqlx::Error> {
        bisect::insert(self, &notifications::Notifications(notifications), rows).await
    }

    async fn progress(&mut self, ids: &[&str]) -> Result<HashMap<String, Progress>, StoreError> {
        notifications::progress(self, ids).await
    }

    async fn record(
        &mut self,
        deliveries: &[Delivery<'_>],
        conclusions: &[NotificationResult<'_>],
    ) -> Result<(), sqlx::Error> {
        notifications::record(self, deliveries, conclusions).await
    }

    async fn next_offset(&mut self, consumer: &str, topic: &str, partition: i32) -> Result<Option<i64>, sqlx::Error> {
        events::next_offset(self, consumer, topic, partition).await
    }

    async fn event(&mut self, id: &str) -> Result<Option<StoredEvent>, StoreError> {
        events::event(self, id).await
    }

    async fn notification(&mut self, id: &str) -> Result<Option<StoredNotification>, StoreError> {
        notifications::notification(self, id).await
    }
}
