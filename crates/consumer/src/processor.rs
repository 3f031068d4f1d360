//! What a consumer does with records: one trait for each mode.

use std::time::Duration;

use millrace_kafka::{OwnedProducerRecord, Record};
use thiserror::Error;

use crate::attempts::Attempt;
use crate::outcome::Outcome;

/// What a consumer does with a record.
pub trait Processor: Send + Sync {
    /// What it makes of a record; `()` where its effect is outside of Kafka.
    type Product: Send + Sync;

    /// Processes one record. Where that takes long, it waits by way of `attempt`, so that a stop need not.
    ///
    /// Records of one key come one after the other, records of different keys at the same time. A record may come
    /// again after a crash or a rebalance: effects must be idempotent. The value is never null or empty. A panic counts
    /// as a permanent failure of this record.
    fn process(
        &self,
        record: &Record<'_>,
        attempt: &Attempt<'_>,
    ) -> impl Future<Output = Outcome<Self::Product>> + Send;
}

/// The queues in which a processor's records wait for a destination. A record that finds its queue full is deferred
/// ([`Outcome::Defer`]) and spilled: it leaves memory, so that records for other destinations pass.
pub trait DestinationQueues: Send + Sync {
    /// A record has waited long for an earlier record of its key. Called once for each such record, before it is
    /// processed, so that it can be shown as accepted; must not block.
    fn on_queued(&self, record: &Record<'_>);

    /// How many deferred records one of the queues has capacity for now.
    fn capacity(&self, queue: usize) -> usize;
}

/// A processor whose products become records, written in one transaction with the offsets of what they were made of.
pub trait Transformer: Processor {
    /// How many of the `ready` products go into a transaction now, the oldest first. `age` says for how long the oldest
    /// has waited. Before partitions are revoked or the process ends, all of them go.
    fn batch_size(&self, ready: usize, age: Duration) -> usize;

    /// The records that are written for the products of a transaction. Products come partition by partition, in offset
    /// order.
    fn to_records<'p>(&self, products: impl Iterator<Item = &'p Self::Product>) -> Vec<OwnedProducerRecord>
    where
        Self::Product: 'p;
}

/// Rows of one partition, in the order of their records, to be stored together with the offset that follows them.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'b, R> {
    /// The topic.
    pub topic: &'b str,
    /// The partition.
    pub partition: i32,
    /// The offset that the store should still have for the partition: what it has are the records below, these and no
    /// others follow. `None`: none.
    pub expected: Option<i64>,
    /// The offset that it has afterwards.
    pub next: i64,
    /// The rows. Those of refused records are left out.
    pub rows: &'b [R],
}

/// A batch that is written and not committed.
#[derive(Debug)]
pub struct Written<P> {
    /// What is to be committed.
    pub pending: P,
    /// The rows that are refused for good.
    pub refused: Vec<Refused>,
}

/// A row of a batch that is not stored: its record is dead-lettered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place among the batch's rows.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// Why a batch was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The store is away or busy: it is tried again, for as long as the partition is owned.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// The store does not have the expected offset: another process has stored records of the partition.
    #[error("another process has stored records of the partition")]
    OffsetConflict,
    /// The process cannot go on.
    #[error("{reason}")]
    Fatal {
        /// What happened.
        reason: String,
    },
}

/// Where the offset is kept from which a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetStorage {
    /// In the store, with the rows, in one transaction: no batch is stored twice.
    Store,
    /// In the consumer group, once the store has answered: after a crash or a rebalance a batch may come again, be it
    /// with more or fewer records.
    Group,
}

/// What stores batches of records.
pub trait BatchProcessor: Send + Sync {
    /// Where the offsets are kept from which partitions go on.
    const OFFSETS: OffsetStorage;

    /// What it stores of a record.
    type Row<'r>: Send + Sync;

    /// A batch that is written and not committed. Dropped, it never was.
    type Pending: Send;

    /// The offset stored for a partition; `None` where there is none. Asked only where the [store](OffsetStorage::Store)
    /// keeps it.
    ///
    /// # Errors
    /// [`BatchError`].
    fn resume(&self, topic: &str, partition: i32) -> impl Future<Output = Result<Option<i64>, BatchError>> + Send {
        let _ = (topic, partition);
        async { Ok(None) }
    }

    /// Reads a record, whose value is never null or empty.
    ///
    /// # Errors
    /// Why the record is dead-lettered.
    fn read<'r>(&self, record: &'r Record<'_>) -> Result<Self::Row<'r>, String>;

    /// Writes a batch without committing it. Where the store refuses rows and keeps the offsets, it is not committed: their
    /// records are dead-lettered, and it is written again without them. So nobody waits for Kafka while the store holds locks.
    /// Where the group keeps the offsets, all rows must be written but those that are refused. Where it waits, it does so by way
    /// of `attempt`, so that a stop need not.
    ///
    /// # Errors
    /// [`BatchError`], and nothing was written; where the group keeps the offsets, a part may have been.
    fn write(
        &self,
        batch: &Batch<'_, Self::Row<'_>>,
        attempt: &Attempt<'_>,
    ) -> impl Future<Output = Result<Written<Self::Pending>, BatchError>> + Send;

    /// Commits what was written.
    ///
    /// # Errors
    /// [`BatchError::Unavailable`] where nobody knows whether it was: how far the partition is stored is asked for
    /// again.
    fn commit(&self, pending: Self::Pending) -> impl Future<Output = Result<(), BatchError>> + Send;
}
