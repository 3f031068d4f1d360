//! The store in SQLite.
//!
//! One connection writes and some read; in WAL mode they do not block each other. Other processes may use the file too;
//! writers wait for each other.
//!
//! `synchronous = NORMAL`: a commit survives a crash of the process at once, and a power failure after the next
//! checkpoint. A power failure loses the latest transactions whole, so rows and offset stay consistent: the consumer
//! reads those records again, and a notification may be delivered again.

mod events;
mod notifications;
mod retention;
mod time;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use millrace_domain::Digest;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection, SqlitePool, Transaction};
use tokio::time::{Instant, sleep};

use crate::backend::Connections;
use crate::error::is_lock_contention;
use crate::id_conflicts::InsertResults;
use crate::store::Schema;
use crate::tables::{IdTable, Tables};
use crate::{
    Delivery, EventBatch, NewNotification, NotificationResult, Progress, RetainedTable, StoreError, StoredEvent,
    StoredNotification, migrations,
};

/// How long a writer waits for one of another process, and a reader for the switch to WAL mode.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for the only writer: others may be before it, each with a batch.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

const MAX_READERS: u32 = 4;

const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Takes the write lock at once. A transaction that reads first fails to write if another has written since.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// A SQLite file.
pub(crate) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// Creates the file if it is missing, and migrates, unless it is to stay as it is. Its folder must exist: a missing one is probably a misspelt
    /// path.
    pub(crate) async fn open(path: &Path, url: &str, schema: Schema) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
            && !folder.is_dir()
        {
            let reason = format!("there is no folder {}", folder.display());
            return Err(StoreError::Unusable { url: url.to_owned(), reason });
        }
        if schema == Schema::AsItIs && !path.is_file() {
            let reason = format!("there is no file {}", path.display());
            return Err(StoreError::Unusable { url: url.to_owned(), reason });
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        // Connections to a file do not break: no checks and no expiry.
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None);
        let writer = pool.clone().max_connections(1).connect_lazy_with(options.clone().create_if_missing(true));
        if schema == Schema::Migrated {
            migrate(&writer).await.map_err(StoreError::opening(url))?;
        }
        let readers = pool.max_connections(MAX_READERS).connect_lazy_with(options.read_only(true));
        Ok(Self { writer, readers })
    }
}

impl Connections for Sqlite {
    type Database = sqlx::Sqlite;

    async fn begin(&self) -> Result<Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
        self.writer.begin_with(BEGIN).await
    }

    async fn reader(&self) -> Result<PoolConnection<sqlx::Sqlite>, sqlx::Error> {
        self.readers.acquire().await
    }

    async fn ensure_index(&self, table: RetainedTable) -> Result<bool, sqlx::Error> {
        retention::ensure_index(&mut *self.writer.acquire().await?, table).await.map(|()| true)
    }

    async fn delete_older(&self, table: RetainedTable, time: Timestamp, limit: u32) -> Result<u64, sqlx::Error> {
        let mut transaction = self.begin().await?;
        let deleted = retention::delete_older(&mut transaction, table, time, limit).await?;
        transaction.commit().await?;
        Ok(deleted)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// One process at a time: a transaction around all migrations holds the write lock.
async fn migrate(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    let mut transaction = loop {
        // Switching to WAL mode needs an exclusive lock, for which SQLite's busy time-out does not wait.
        match writer.begin_with(BEGIN).await {
            Err(error) if is_lock_contention(&error) && Instant::now() < deadline => sleep(RETRY_INTERVAL).await,
            begun => break begun?,
        }
    };
    migrations::run(&migrations::sqlite(), &mut *transaction).await?;
    transaction.commit().await
}

impl Tables for SqliteConnection {
    /// Nothing to do: SQLite has one writer at a time.
    async fn lock_ids(&mut self, _table: IdTable) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn digests(&mut self, table: IdTable, ids: &[&str]) -> Result<HashMap<String, Digest>, sqlx::Error> {
        events::digests(self, table, ids).await
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
        events::insert(self, batch, rows).await
    }

    async fn insert_notifications(
        &mut self,
        notifications: &[NewNotification<'_>],
        rows: &[usize],
    ) -> Result<InsertResults, sqlx::Error> {
        notifications::insert(self, notifications, rows).await
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
