//! [`Store`], the port over both databases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

use crate::address::Address;
use crate::id_conflicts::nul_in;
use crate::sqlite::Sqlite;
use crate::tables::Tables as _;
use crate::write::Open;
use crate::{
    AcceptResult, Delivery, EventBatch, NewNotification, NotificationResult, PendingWrite, StoreError, StoredEvent,
    StoredNotification, accept, postgres, write,
};

const READING: &str = "cannot read from the database";
const WRITING: &str = "cannot begin a transaction";

/// How long closing waits for connections in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A database. Clones share its connections, which are replaced when they break.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    display_url: String,
    database: Database,
}

pub(crate) enum Database {
    Postgres(PgPool),
    Sqlite(Sqlite),
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
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let (address, display_url) = Address::parse(url)?;
        let database = match address {
            Address::Postgres(options) => Database::Postgres(postgres::open(*options, &display_url).await?),
            Address::Sqlite(path) => Database::Sqlite(Sqlite::open(&path, &display_url).await?),
        };
        Ok(Self(Arc::new(Inner { display_url, database })))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    /// The URL without its password; a SQLite path in it is absolute.
    pub fn display_url(&self) -> &str {
        &self.0.display_url
    }

    /// The offset a consumer resumes a partition from; `None`: it has stored none.
    pub async fn next_offset(&self, consumer: &str, topic: &str, partition: i32) -> Result<Option<i64>, StoreError> {
        match &self.0.database {
            Database::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(StoreError::call(READING))?;
                connection.next_offset(consumer, topic, partition).await
            }
            Database::Sqlite(sqlite) => {
                let mut connection = sqlite.reader().await.map_err(StoreError::call(READING))?;
                connection.next_offset(consumer, topic, partition).await
            }
        }
        .map_err(StoreError::call("cannot read an offset"))
    }

    /// Writes events of one partition and the offset after them, in a transaction that the caller commits. An id stored
    /// with the same digest is a repeat and changes nothing; conflicts and rows that cannot be stored are
    /// [`refused`](PendingWrite::refused), the others stored.
    pub async fn write_events(&self, batch: EventBatch<'_>) -> Result<PendingWrite, StoreError> {
        match &self.0.database {
            Database::Postgres(pool) => {
                let mut transaction = pool.begin().await.map_err(StoreError::call(WRITING))?;
                let refused = write::write_events(&mut *transaction, &batch).await?;
                Ok(PendingWrite::new(Open::Postgres(transaction), refused))
            }
            Database::Sqlite(sqlite) => {
                let mut transaction = sqlite.begin().await.map_err(StoreError::call(WRITING))?;
                let refused = write::write_events(&mut *transaction, &batch).await?;
                Ok(PendingWrite::new(Open::Sqlite(transaction), refused))
            }
        }
    }

    /// The event with this id, if stored.
    pub async fn event(&self, id: &str) -> Result<Option<StoredEvent>, StoreError> {
        if cannot_be_stored(id) {
            return Ok(None);
        }
        match &self.0.database {
            Database::Postgres(pool) => pool.acquire().await.map_err(StoreError::call(READING))?.event(id).await,
            Database::Sqlite(sqlite) => sqlite.reader().await.map_err(StoreError::call(READING))?.event(id).await,
        }
    }

    /// The notification with this id and its deliveries, if accepted.
    pub async fn notification(&self, id: &str) -> Result<Option<StoredNotification>, StoreError> {
        if cannot_be_stored(id) {
            return Ok(None);
        }
        match &self.0.database {
            Database::Postgres(pool) => pool.acquire().await.map_err(StoreError::call(READING))?.notification(id).await,
            Database::Sqlite(sqlite) => {
                sqlite.reader().await.map_err(StoreError::call(READING))?.notification(id).await
            }
        }
    }

    /// Accepts notifications in one transaction; results are in their order. Of all callers that accept one id,
    /// concurrently or later, exactly one gets [`AcceptResult::New`].
    pub async fn accept_notifications(
        &self,
        notifications: &[NewNotification<'_>],
    ) -> Result<Vec<AcceptResult>, StoreError> {
        match &self.0.database {
            Database::Postgres(pool) => {
                let mut transaction = pool.begin().await.map_err(StoreError::call(WRITING))?;
                let accepted = accept::accept(&mut *transaction, notifications).await?;
                transaction.commit().await.map_err(StoreError::call(accept::ACCEPTING))?;
                Ok(accepted)
            }
            Database::Sqlite(sqlite) => {
                let mut transaction = sqlite.begin().await.map_err(StoreError::call(WRITING))?;
                let accepted = accept::accept(&mut *transaction, notifications).await?;
                transaction.commit().await.map_err(StoreError::call(accept::ACCEPTING))?;
                Ok(accepted)
            }
        }
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
        match &self.0.database {
            Database::Postgres(pool) => {
                let mut transaction = pool.begin().await.map_err(StoreError::call(WRITING))?;
                accept::record(&mut *transaction, deliveries, results).await?;
                transaction.commit().await
            }
            Database::Sqlite(sqlite) => {
                let mut transaction = sqlite.begin().await.map_err(StoreError::call(WRITING))?;
                accept::record(&mut *transaction, deliveries, results).await?;
                transaction.commit().await
            }
        }
        .map_err(StoreError::call(accept::RECORDING))
    }

    /// Closes the connections, and waits a bounded time for those in use. For the end of a process: afterwards all
    /// calls fail.
    pub async fn close(&self) {
        let closing = async {
            match &self.0.database {
                Database::Postgres(pool) => pool.close().await,
                Database::Sqlite(sqlite) => sqlite.close().await,
            }
        };
        // The database closes the others when this process has ended.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, closing).await);
    }
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
