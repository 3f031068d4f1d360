//! Writes batches of rows and the next offset in one transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_consumer::{Attempt, Batch, BatchError, BatchProcessor, OffsetStorage, Refused, Written};
use millrace_domain::ErrorClass;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::{KafkaError, Record};
use millrace_store::{EventBatch, PendingWrite, Store, StoreError};
use uuid::Uuid;

use crate::NAME;
use crate::row::Row;

/// Stores events. The consumer runtime calls it for each batch.
#[derive(Debug, Clone)]
pub struct EventStore {
    store: Store,
    /// For topic ids; `None` for an in-memory cluster, whose topics exist as long as the cluster id.
    cluster: Option<AdminClient>,
    cluster_id: String,
    /// The owner of the stored offsets of each topic, by name.
    owners: Arc<Mutex<HashMap<String, String>>>,
}

/// How long the lookup of a topic id may take.
const TOPIC_ID_TIMEOUT: Duration = Duration::from_secs(5);

impl EventStore {
    /// An event store for the records of this cluster.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where the cluster does not return its id within `timeout`.
    pub async fn of(store: Store, cluster: &AdminClient, timeout: Duration) -> Result<Self, KafkaError> {
        let lasting = cluster.lasting_id(timeout).await?;
        let cluster = lasting.is_some().then(|| cluster.clone());
        // An in-memory cluster has no lasting id: a random one, so that the next cluster reads from the beginning.
        let cluster_id = lasting.unwrap_or_else(|| Uuid::now_v7().to_string());
        Ok(Self { store, cluster, cluster_id, owners: Arc::default() })
    }

    /// Looks up the owner of a topic's offsets: cluster and topic id, so that offsets of another cluster, or of a deleted
    /// topic with the same name, do not apply.
    async fn find_owner(&self, topic: &str) -> Result<String, BatchError> {
        let mut owner = format!("{NAME}@{}", self.cluster_id);
        if let Some(cluster) = &self.cluster {
            let id = cluster.topic_id(topic, TOPIC_ID_TIMEOUT).await;
            let id = id.map_err(|error| BatchError::Unavailable { reason: format!("{topic}: {error}") })?;
            owner = format!("{owner}/{id}");
        }
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), owner.clone());
        Ok(owner)
    }

    async fn owner(&self, topic: &str) -> Result<String, BatchError> {
        let known = self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned();
        match known {
            Some(owner) => Ok(owner),
            None => self.find_owner(topic).await,
        }
    }
}

impl BatchProcessor for EventStore {
    const OFFSETS: OffsetStorage = OffsetStorage::Store;

    type Row<'r> = Row<'r>;
    type Pending = PendingWrite;

    async fn resume(&self, topic: &str, partition: i32) -> Result<Option<i64>, BatchError> {
        let owner = self.find_owner(topic).await?;
        self.store.next_offset(&owner, topic, partition).await.map_err(failed)
    }

    fn read<'r>(&self, record: &'r Record<'_>) -> Result<Row<'r>, String> {
        Row::read(record)
    }

    async fn write(
        &self,
        batch: &Batch<'_, Self::Row<'_>>,
        _attempt: &Attempt<'_>,
    ) -> Result<Written<PendingWrite>, BatchError> {
        let rows: Vec<_> = batch.rows.iter().map(Row::as_event_row).collect();
        let owner = self.owner(batch.topic).await?;
        let pending = self.store.write_events(EventBatch {
            consumer: &owner,
            topic: batch.topic,
            partition: batch.partition,
            expected: batch.expected,
            next: batch.next,
            rows: &rows,
        });
        let pending = pending.await.map_err(failed)?;
        let refused = pending.refused().iter();
        let refused = refused.map(|row| Refused { index: row.row, reason: row.refusal.to_string() }).collect();
        Ok(Written { pending, refused })
    }

    async fn commit(&self, pending: PendingWrite) -> Result<(), BatchError> {
        pending.commit().await.map_err(failed)
    }
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn failed(error: StoreError) -> BatchError {
    match (&error, error.class()) {
        (StoreError::Superseded { .. }, _) => BatchError::OffsetConflict,
        (_, ErrorClass::Transient) => BatchError::Unavailable { reason: error.to_string() },
        (_, ErrorClass::Permanent | ErrorClass::Fatal) => BatchError::Fatal { reason: error.to_string() },
    }
}
