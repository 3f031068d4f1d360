//! Retention: old rows are deleted in batches, each of which holds its locks briefly.

use jiff::Timestamp;

use crate::store::Database;
use crate::{Store, StoreError, postgres};

const DELETING: &str = "cannot delete old rows";

/// A table with a retention.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RetainedTable {
    /// Events and payments. Their age counts from `received_at`, the time of their Kafka records.
    Events,
    /// Notifications with an outcome, and their deliveries. Their age counts from the later of their acceptance and
    /// their last attempt.
    Notifications,
}

impl RetainedTable {
    /// Its name in the schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Notifications => "notifications",
        }
    }

    /// The index by which old rows are found, and its column. Not part of the migrations: a deployment without
    /// retention does not need it.
    pub(crate) const fn index(self) -> (&'static str, &'static str) {
        match self {
            Self::Events => ("events_received_at", "events (received_at)"),
            Self::Notifications => ("notifications_accepted_at", "notifications (accepted_at)"),
        }
    }
}

impl Store {
    /// Builds the index that [`delete_older`](Self::delete_older) needs, if it is missing. In PostgreSQL it does not
    /// block writers; `false`: another process is building it.
    pub async fn prepare_retention(&self, table: RetainedTable) -> Result<bool, StoreError> {
        match self.database() {
            Database::Postgres(pool) => postgres::ensure_index(pool, table).await,
            Database::Sqlite(sqlite) => sqlite.ensure_index(table).await,
        }
        .map_err(StoreError::call("cannot build the index for old rows"))
    }

    /// Deletes the oldest rows from before `time`, at most `limit` of them, in one transaction; returns their number.
    ///
    /// Offsets stay, so that no consumer reads records again. The id of a deleted row is free: the next event under it
    /// is a new one.
    pub async fn delete_older(&self, table: RetainedTable, time: Timestamp, limit: u32) -> Result<u64, StoreError> {
        match self.database() {
            Database::Postgres(pool) => postgres::delete_older(pool, table, time, limit).await,
            Database::Sqlite(sqlite) => sqlite.delete_older(table, time, limit).await,
        }
        .map_err(StoreError::call(DELETING))
    }
}
