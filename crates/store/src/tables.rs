//! What a database must be able to do; both do it alike.

use std::collections::HashMap;

use millrace_domain::Digest;

use crate::id_conflicts::Fates;
use crate::{
    Delivery, EventBatch, NewNotification, NotificationResult, Progress, StoreError, StoredEvent, StoredNotification,
};

/// A table whose ids are those of events.
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

/// The statements, run on a connection. Those that write belong into a transaction, which the caller ends.
pub(crate) trait Tables: Send {
    /// Moves a batch's offset from what its writer expects to what follows it; `false`: it is not what was expected.
    /// Another writer of the same offset waits from here on until this transaction ends.
    fn move_offset(&mut self, batch: &EventBatch<'_>) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Forgets the events of these ids that have another digest.
    fn forget_events(&mut self, others_than: &[(&str, Digest)])
    -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Forgets the notifications of these ids that have another digest, and their attempts.
    fn forget_notifications(
        &mut self,
        others_than: &[(&str, Digest)],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Keeps those who name rows of the other table out until this transaction ends, so that nobody takes an id between
    /// a look at that table and what is written here.
    fn begin_naming(&mut self, table: IdTable) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The digests of what a table has under these ids.
    fn digests(
        &mut self,
        table: IdTable,
        ids: &[&str],
    ) -> impl Future<Output = Result<HashMap<String, Digest>, sqlx::Error>> + Send;

    /// Inserts these rows of a batch, whose ids all differ. Named in the answer are at least the rows that cannot be
    /// stored and those whose id is stored with another digest.
    fn insert_events(
        &mut self,
        batch: &EventBatch<'_>,
        rows: &[usize],
    ) -> impl Future<Output = Result<Fates, sqlx::Error>> + Send;

    /// Inserts these notifications, whose ids all differ. Named in the answer are exactly those that were not inserted.
    fn insert_notifications(
        &mut self,
        notifications: &[NewNotification<'_>],
        rows: &[usize],
    ) -> impl Future<Output = Result<Fates, sqlx::Error>> + Send;

    /// How far notifications came, by id.
    fn progress(&mut self, ids: &[&str]) -> impl Future<Output = Result<HashMap<String, Progress>, StoreError>> + Send;

    /// Writes attempts down, each (event, destination, attempt) at most once, and then the ends, each event at most
    /// once.
    fn record(
        &mut self,
        deliveries: &[Delivery<'_>],
        conclusions: &[NotificationResult<'_>],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The offset that is stored.
    fn next_offset(
        &mut self,
        consumer: &str,
        topic: &str,
        partition: i32,
    ) -> impl Future<Output = Result<Option<i64>, sqlx::Error>> + Send;

    /// The event of this id.
    fn event(&mut self, id: &str) -> impl Future<Output = Result<Option<StoredEvent>, StoreError>> + Send;

    /// The notification of this id, with its attempts.
    fn notification(&mut self, id: &str)
    -> impl Future<Output = Result<Option<StoredNotification>, StoreError>> + Send;
}
