//! [`Store`], the port over both databases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::address::Address;
use crate::backend::Backend;
use crate::credentials;
use crate::id_conflicts::nul_in;
use crate::postgres::Postgres;
#[cfg(feature = "sqlite")]
use crate::sqlite::Sqlite;
use crate::{
    AcceptResult, Delivery, EventBatch, NewNotification, NotificationResult, PendingWrite, RetainedTable, StoreError,
    StoredEvent, StoredNotification,
};

/// How long closing waits for connections in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What becomes of a database's tables when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// What is missing is made.
    Migrated,
    /// Nothing.
    AsItIs,
}

/// A database. Clones share its connections, which are replaced when they break.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    display_url: String,
    backend: Box<dyn Backend>,
}

impl Store {
    /// Checks that a URL names a database, without connecting to it.
    ///
    /// # Errors
    /// [`StoreError::Url`] with the reason, without the password.
    pub fn check_url(url: &str) -> Result<(), StoreError> {
        Address::parse(url).map(drop)
    }

    /// Connects to `postgres://…`, `postgresql://…`, `sqlite:///absolute/path` or `sqlite://relative`, and runs the
    /// migrations that are missing; many processes may do so at once. A SQLite file is created in an existing folder.
    ///
    /// For PostgreSQL the URL's parameters and the `PG…` environment variables are those of libpq, `sslmode` included.
    /// One is ours: `secret` names a secret of AWS Secrets Manager with `username` and `password`, as RDS makes and
    /// rotates them. It is read again when the database refuses a password.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(url, Schema::Migrated).await
    }

    /// Connects to a database that is there, and changes nothing of it: for reading alone.
    pub async fn connect_existing(url: &str) -> Result<Self, StoreError> {
        Self::open(url, Schema::AsItIs).await
    }

    async fn open(url: &str, schema: Schema) -> Result<Self, StoreError> {
        let (address, display_url) = Address::parse(url)?;
        let backend = open(address, &display_url, schema).await?;
        Ok(Self(Arc::new(Inner { display_url, backend })))
    }

    /// The URL without its password; a SQLite path in it is absolute.
    pub fn display_url(&self) -> &str {
        &self.0.display_url
    }

    /// The offset a consumer resumes a partition from; `None`: it has stored none.
    pub async fn next_offset(&self, consumer: &str, topic: &str, partition: i32) -> Result<Option<i64>, StoreError> {
        self.0.backend.next_offset(consumer, topic, partition).await
    }

    /// Writes events of one partition and the offset after them, in a transaction that the caller commits. An id stored
    /// with the same digest is a repeat and changes nothing; conflicts and rows that cannot be stored are
    /// [`refused`](PendingWrite::refused), the others stored.
    pub async fn write_events(&self, batch: EventBatch<'_>) -> Result<PendingWrite, StoreError> {
        self.0.backend.write_events(batch).await
    }

    /// The event with this id, if stored.
    pub async fn event(&self, id: &str) -> Result<Option<StoredEvent>, StoreError> {
        if cannot_be_stored(id) { Ok(None) } else { self.0.backend.event(id).await }
    }

    /// The notification with this id and its deliveries, if accepted.
    pub async fn notification(&self, id: &str) -> Result<Option<StoredNotification>, StoreError> {
        if cannot_be_stored(id) { Ok(None) } else { self.0.backend.notification(id).await }
    }

    /// Accepts notifications in one transaction; results are in their order. Of all callers that accept one id,
    /// concurrently or later, exactly one gets [`AcceptResult::New`].
    pub async fn accept_notifications(
        &self,
        notifications: &[NewNotification<'_>],
    ) -> Result<Vec<AcceptResult>, StoreError> {
        self.0.backend.accept_notifications(notifications).await
    }

    /// Records attempts, and the results of notifications that have no destination left to try, in one transaction.
    ///
    /// An attempt with a recorded number replaces it, except that a delivery stays delivered; the same holds for the
    /// outcome of a notification. So a notification that failed and was replayed may still become delivered.
    pub async fn record_deliveries(
        &self,
        deliveries: &[Delivery<'_>],
        results: &[NotificationResult<'_>],
    ) -> Result<(), StoreError> {
        self.0.backend.record_deliveries(deliveries, results).await
    }

    /// Builds the index that [`delete_older`](Self::delete_older) needs, if it is missing. In PostgreSQL it does not
    /// block writers; `false`: another process is building it.
    pub async fn prepare_retention(&self, table: RetainedTable) -> Result<bool, StoreError> {
        self.0.backend.prepare_retention(table).await
    }

    /// Deletes the oldest rows from before `time`, at most `limit` of them, in one transaction; returns their number.
    ///
    /// Offsets stay, so that no consumer reads records again. The id of a deleted row is free: the next event under it
    /// is a new one.
    pub async fn delete_older(&self, table: RetainedTable, time: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.0.backend.delete_older(table, time, limit).await
    }

    /// Closes the connections, and waits a bounded time for those in use. For the end of a process: afterwards all
    /// calls fail.
    pub async fn close(&self) {
        // The database closes the others when this process has ended.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, self.0.backend.close()).await);
    }
}

/// Opens a database. A boxed future, as the backend's are, for the build's sake.
fn open(address: Address, url: &str, schema: Schema) -> BoxFuture<'_, Result<Box<dyn Backend>, StoreError>> {
    async move {
        Ok(match address {
            Address::Postgres { options, secret } => {
                let credentials = secret.map(credentials::of_secret).transpose()?;
                Box::new(Postgres::open(*options, url, credentials, schema).await?) as Box<dyn Backend>
            }
            #[cfg(feature = "sqlite")]
            Address::Sqlite(path) => Box::new(Sqlite::open(&path, url, schema).await?),
        })
    }
    .boxed()
}

/// Without the password.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.display_url).finish()
    }
}

/// PostgreSQL rejects text with a NUL also in a query.
fn cannot_be_stored(id: &str) -> bool {
    nul_in(&[("id", Some(id))]).is_some()
}
