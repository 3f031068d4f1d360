//! The operations that each database implements.

use std::collections::HashMap;

use millrace_domain::Digest;

use crate::id_conflicts::InsertResults;
use crate::{
    Delivery, EventBatch, NewNotification, NotificationResult, Progress, StoreError, StoredEvent, StoredNotification,
};

/// A table with event ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IdTable {
    Events,
    Notifications,
}

impl IdTable {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Events => Self::Notifications,
            Self::Notifications => Self::Events,
        }
    }
}

/// Statements on a connection. Those that write run in a transaction of the caller's.
pub(crate) trait Tables: Send {
    /// Moves the offset from what the batch's writer expects to the offset after it; `false`: another offset is stored.
    /// From here on, other writers of the same offset wait until this transaction ends.
    fn move_offset(&mut self, batch: &EventBatch<'_>) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Deletes stale events: those with one of these ids and another digest.
    fn delete_stale_events(&mut self, new: &[(&str, Digest)]) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Deletes stale notifications, those with one of these ids and another digest, and their attempts.
    fn delete_stale_notifications(
        &mut self,
        new: &[(&str, Digest)],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Locks out writers of the other table until this transaction ends, so that none takes an id between the check of
    /// that table and the insert.
    fn lock_ids(&mut self, table: IdTable) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The digests stored in a table under these ids.
    fn digests(
        &mut self,
        table: IdTable,
        ids: &[&str],
    ) -> impl Future<Output = Result<HashMap<String, Digest>, sqlx::Error>> + Send;

    /// Inserts these rows of a batch, whose ids all differ. Returns at least the rows that cannot be stored and those
    /// whose id is stored with another digest.
    fn insert_events(
        &mut self,
        batch: &EventBatch<'_>,
        rows: &[usize],
    ) -> impl Future<Output = Result<InsertResults, sqlx::Error>> + Send;

    /// Inserts these notifications, whose ids all differ. Returns exactly those that were not inserted.
    fn insert_notifications(
        &mut self,
        notifications: &[NewNotification<'_>],
        rows: &[usize],
    ) -> impl Future<Output = Result<InsertResults, sqlx::Error>> + Send;

    /// The progress of notifications by id.
    fn progress(&mut self, ids: &[&str]) -> impl Future<Output = Result<HashMap<String, Progress>, StoreError>> + Send;

    /// Records attempts, each (event, destination, attempt) at most once, then results, each event at most once.
    fn record(
        &mut self,
        deliveries: &[Delivery<'_>],
        results: &[NotificationResult<'_>],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The stored offset.
    fn next_offset(
        &mut self,
        consumer: &str,
        topic: &str,
        partition: i32,
    ) -> impl Future<Output = Result<Option<i64>, sqlx::Error>> + Send;

    /// The event with this id.
    fn event(&mut self, id: &str) -> impl Future<Output = Result<Option<StoredEvent>, StoreError>> + Send;

    /// The notification with this id, and its attempts.
    fn notification(&mut self, id: &str)
    -> impl Future<Output = Result<Option<StoredNotification>, StoreError>> + Send;
}
