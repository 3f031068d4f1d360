//! What a [`Store`](crate::Store) does, written once for both databases.
//!
//! A trait object, for the build's sake: what awaits the future of a plain `async fn` compiles its body, and here that is
//! sqlx's connections and pools. So they are compiled in this crate alone, and not in each one that has a store.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::{Database, Error, Transaction};

use crate::tables::Tables;
use crate::{
    AcceptResult, Delivery, EventBatch, NewNotification, NotificationResult, PendingWrite, RetainedTable, StoreError,
    StoredEvent, StoredNotification, accept, write,
};

const READING: &str = "cannot read from the database";
const WRITING: &str = "cannot begin a transaction";

/// A database's connections, and what its SQL cannot share with the other's.
pub(crate) trait Connections: Send + Sync + 'static {
    /// The database.
    type Database: Database<Connection: Tables>;

    /// Begins a transaction that writes.
    fn begin(&self) -> impl Future<Output = Result<Transaction<'static, Self::Database>, Error>> + Send;

    /// A connection to read from.
    fn reader(&self) -> impl Future<Output = Result<PoolConnection<Self::Database>, Error>> + Send;

    /// Builds the index that `delete_older` needs; `false`: another process is building it.
    fn ensure_index(&self, table: RetainedTable) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Deletes the oldest rows from before `time`, at most `limit` of them.
    fn delete_older(
        &self,
        table: RetainedTable,
        time: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Closes all connections, once they are not in use.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// The operations of a store, documented there.
pub(crate) trait Backend: Send + Sync {
    fn next_offset<'a>(
        &'a self,
        consumer: &'a str,
        topic: &'a str,
        partition: i32,
    ) -> BoxFuture<'a, Result<Option<i64>, StoreError>>;

    fn write_events<'a>(&'a self, batch: EventBatch<'a>) -> BoxFuture<'a, Result<PendingWrite, StoreError>>;

    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredEvent>, StoreError>>;

    fn notification<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredNotification>, StoreError>>;

    fn accept_notifications<'a>(
        &'a self,
        notifications: &'a [NewNotification<'a>],
    ) -> BoxFuture<'a, Result<Vec<AcceptResult>, StoreError>>;

    fn record_deliveries<'a>(
        &'a self,
        deliveries: &'a [Delivery<'a>],
        results: &'a [NotificationResult<'a>],
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    fn prepare_retention(&self, table: RetainedTable) -> BoxFuture<'_, Result<bool, StoreError>>;

    fn delete_older(&self, table: RetainedTable, time: Timestamp, limit: u32)
    -> BoxFuture<'_, Result<u64, StoreError>>;

    fn close(&self) -> BoxFuture<'_, ()>;
}

impl<C: Connections> Backend for C {
    fn next_offset<'a>(
        &'a self,
        consumer: &'a str,
        topic: &'a str,
        partition: i32,
    ) -> BoxFuture<'a, Result<Option<i64>, StoreError>> {
        async move {
            let mut connection = self.reader().await.map_err(StoreError::call(READING))?;
            let offset = connection.next_offset(consumer, topic, partition).await;
            offset.map_err(StoreError::call("cannot read an offset"))
        }
        .boxed()
    }

    fn write_events<'a>(&'a self, batch: EventBatch<'a>) -> BoxFuture<'a, Result<PendingWrite, StoreError>> {
        async move {
            let mut transaction = self.begin().await.map_err(StoreError::call(WRITING))?;
            let refused = write::write_events(&mut *transaction, &batch).await?;
            Ok(PendingWrite::new(transaction, refused))
        }
        .boxed()
    }

    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredEvent>, StoreError>> {
        async move { self.reader().await.map_err(StoreError::call(READING))?.event(id).await }.boxed()
    }

    fn notification<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredNotification>, StoreError>> {
        async move { self.reader().await.map_err(StoreError::call(READING))?.notification(id).await }.boxed()
    }

    fn accept_notifications<'a>(
        &'a self,
        notifications: &'a [NewNotification<'a>],
    ) -> BoxFuture<'a, Result<Vec<AcceptResult>, StoreError>> {
        async move {
            let mut transaction = self.begin().await.map_err(StoreError::call(WRITING))?;
            let accepted = accept::accept(&mut *transaction, notifications).await?;
            transaction.commit().await.map_err(StoreError::call(accept::ACCEPTING))?;
            Ok(accepted)
        }
        .boxed()
    }

    fn record_deliveries<'a>(
        &'a self,
        deliveries: &'a [Delivery<'a>],
        results: &'a [NotificationResult<'a>],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let mut transaction = self.begin().await.map_err(StoreError::call(WRITING))?;
            accept::record(&mut *transaction, deliveries, results).await?;
            transaction.commit().await.map_err(StoreError::call(accept::RECORDING))
        }
        .boxed()
    }

    fn prepare_retention(&self, table: RetainedTable) -> BoxFuture<'_, Result<bool, StoreError>> {
        async move { self.ensure_index(table).await.map_err(StoreError::call("cannot build the index for old rows")) }
            .boxed()
    }

    fn delete_older(
        &self,
        table: RetainedTable,
        time: Timestamp,
        limit: u32,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        async move {
            let deleted = Connections::delete_older(self, table, time, limit).await;
            deleted.map_err(StoreError::call("cannot delete old rows"))
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Connections::close(self).boxed()
    }
}
