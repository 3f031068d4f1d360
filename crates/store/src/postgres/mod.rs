//! The store in PostgreSQL.

mod bisect;
mod events;
mod migrate;
mod notifications;
mod retention;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use millrace_domain::Digest;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection, PgPool, Transaction};
use tokio::time::timeout;

use crate::backend::Connections;
use crate::credentials::CredentialSource;
use crate::error::is_credential_refusal;
use crate::id_conflicts::InsertResults;
use crate::store::Schema;
use crate::tables::{IdTable, Tables};
use crate::{
    Delivery, EventBatch, NewNotification, NotificationResult, Progress, RetainedTable, StoreError, StoredEvent,
    StoredNotification,
};

/// How long a caller waits for a connection, including connecting.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Enough for a few partitions and some reads; a server has about a hundred for all its clients.
const MAX_CONNECTIONS: u32 = 10;

/// Time-outs of a session. A frozen process holds the lock of its partition in an idle transaction: the server ends
/// that transaction, and until then the next owner's lock times out as a transient error.
const SESSION_TIMEOUTS: &str = "SET lock_timeout = '10s'; \
                                SET idle_in_transaction_session_timeout = '30s'; \
                                SET statement_timeout = '60s'";

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: PgPool,
    options: PgConnectOptions,
    /// Where user and password come from, if not from the URL and the environment.
    credentials: Option<Box<dyn CredentialSource>>,
}

impl Postgres {
    /// Migrates, unless it is to stay as it is, and makes a pool that connects lazily. A broken connection is detected and replaced when it is next
    /// acquired.
    pub(crate) async fn open(
        mut options: PgConnectOptions,
        url: &str,
        credentials: Option<Box<dyn CredentialSource>>,
        schema: Schema,
    ) -> Result<Self, StoreError> {
        if let Some(source) = &credentials {
            let unreachable = |reason| StoreError::Unreachable { url: url.to_owned(), reason };
            options = source.fetch().await.map_err(unreachable)?.apply_to(options);
        }
        // A pool would retry, and report a time-out instead of the cause.
        let connected = timeout(ACQUIRE_TIMEOUT, options.connect()).await;
        let no_answer =
            |_| StoreError::Unreachable { url: url.to_owned(), reason: format!("no answer in {ACQUIRE_TIMEOUT:?}") };
        let connection = connected.map_err(no_answer)?.map_err(StoreError::opening(url))?;
        if schema == Schema::Migrated {
            migrate::run(connection).await.map_err(|error| error.opening(url))?;
        }
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(SESSION_TIMEOUTS).execute(connection).await.map(drop) })
            })
            .connect_lazy_with(options.clone());
        Ok(Self { pool, options, credentials })
    }

    /// Reads the credentials again after the database refused them, for new connections: existing ones keep theirs.
    /// Whether there are others now.
    async fn renew_credentials(&self, refusal: &sqlx::Error) -> bool {
        let Some(source) = self.credentials.as_deref().filter(|_| is_credential_refusal(refusal)) else { return false };
        match source.fetch().await {
            Ok(credentials) => {
                tracing::info!("database credentials refused, read again");
                self.pool.set_connect_options(credentials.apply_to(self.options.clone()));
                true
            }
            Err(error) => {
                tracing::warn!(error, "database credentials refused, and reading them again failed");
                false
            }
        }
    }
}

impl Connections for Postgres {
    type Database = sqlx::Postgres;

    async fn begin(&self) -> Result<Transaction<'static, sqlx::Postgres>, sqlx::Error> {
        match self.pool.begin().await {
            Err(error) if self.renew_credentials(&error).await => self.pool.begin().await,
            begun => begun,
        }
    }

    async fn reader(&self) -> Result<PoolConnection<sqlx::Postgres>, sqlx::Error> {
        match self.pool.acquire().await {
            Err(error) if self.renew_credentials(&error).await => self.pool.acquire().await,
            acquired => acquired,
        }
    }

    async fn ensure_index(&self, table: RetainedTable) -> Result<bool, sqlx::Error> {
        retention::ensure_index(&self.pool, table).await
    }

    async fn delete_older(&self, table: RetainedTable, time: Timestamp, limit: u32) -> Result<u64, sqlx::Error> {
        retention::delete_older(&self.pool, table, time, limit).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
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
    /// The two modes conflict with each other and not with themselves: writers of one table run concurrently, and never
    /// with those of the other.
    async fn lock_ids(&mut self, table: IdTable) -> Result<(), sqlx::Error> {
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

    async fn delete_stale_events(&mut self, new: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
        events::delete_stale(self, new).await
    }

    async fn delete_stale_notifications(&mut self, new: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
        notifications::delete_stale(self, new).await
    }

    async fn insert_events(&mut self, batch: &EventBatch<'_>, rows: &[usize]) -> Result<InsertResults, sqlx::Error> {
        bisect::insert(self, &events::Events(batch.topic, batch.partition, batch.rows), rows).await
    }

    async fn insert_notifications(
        &mut self,
        notifications: &[NewNotification<'_>],
        rows: &[usize],
    ) -> Result<InsertResults, sqlx::Error> {
        bisect::insert(self, &notifications::Notifications(notifications), rows).await
    }

    async fn progress(&mut self, ids: &[&str]) -> Result<HashMap<String, Progress>, StoreError> {
        notifications::progress(self, ids).await
    }

    async fn record(
        &mut self,
        deliveries: &[Delivery<'_>],
        results: &[NotificationResult<'_>],
    ) -> Result<(), sqlx::Error> {
        notifications::record(self, deliveries, results).await
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
