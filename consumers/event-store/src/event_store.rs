//! Batches of records as rows, and the offset after them, in one transaction.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_kafka::KafkaFailure;
use millrace_kafka::cluster::Cluster;
use millrace_kafka::consumer::{Batch, BatchError, BatchProcessor, Refused, Written};
use millrace_store::{EventBatch, PendingWrite, Store, StoreError};
use uuid::Uuid;

use crate::NAME;
use crate::row::Row;

/// Keeps events: what the consumer runtime calls for each batch.
#[derive(Debug, Clone)]
pub struct EventStore {
    store: Store,
    /// Whose offsets these are: those of another cluster's topics mean something else.
    owner: String,
}

impl EventStore {
    /// An event store for the records of this cluster.
    ///
    /// # Errors
    /// [`KafkaFailure::Unreachable`] where the cluster does not say within `patience` which it is.
    pub async fn of(store: Store, cluster: &Cluster, patience: Duration) -> Result<Self, KafkaFailure> {
        // Offsets of a broker in memory are of no use to the next one: its records are.
        let id = cluster.lasting_id(patience).await?.unwrap_or_else(|| Uuid::now_v7().to_string());
        Ok(Self { store, owner: format!("{NAME}@{id}") })
    }
}

impl BatchProcessor for EventStore {
    type Pending = PendingWrite;

    async fn resume(&self, topic: &str, partition: i32) -> Result<Option<i64>, BatchError> {
        self.store.next_offset(&self.owner, topic, partition).await.map_err(failed)
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Written<PendingWrite>, BatchError> {
        let mut rows = Vec::with_capacity(batch.records.len());
        let mut places = Vec::with_capacity(batch.records.len());
        let mut refused = Vec::new();
        for (index, record) in batch.records.iter().enumerate() {
            match Row::read(record) {
                Ok(row) => {
                    rows.push(row);
                    places.push(index);
                }
                Err(reason) => refused.push(Refused { index, reason }),
            }
        }
        let rows: Vec<_> = rows.iter().map(Row::as_event_row).collect();
        let pending = self.store.write_events(EventBatch {
            consumer: &self.owner,
            topic: batch.topic,
            partition: batch.partition,
            expected: batch.expected,
            next: batch.next,
            rows: &rows,
        });
        let pending = pending.await.map_err(failed)?;
        refused.extend(
            pending.refused().iter().map(|row| Refused { index: places[row.row], reason: row.refusal.to_string() }),
        );
        refused.sort_unstable_by_key(|refused| refused.index);
        Ok(Written { pending, refused })
    }

    async fn commit(&self, pending: PendingWrite) -> Result<(), BatchError> {
        pending.commit().await.map_err(failed)
    }
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn failed(error: StoreError) -> BatchError {
    match (&error, error.class()) {
        (StoreError::Superseded { .. }, _) => BatchError::Superseded,
        (_, ErrorClass::Transient) => BatchError::Unavailable { reason: error.to_string() },
        (_, ErrorClass::Permanent | ErrorClass::Fatal) => BatchError::Fatal { reason: error.to_string() },
    }
}
