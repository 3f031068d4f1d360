//! Writing a batch of events: first the offset, then the rows, then the caller's commit.

use std::fmt::Debug;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::{Database, Transaction};

use crate::id_conflicts::{IdClaim, IdConflicts, nul_in};
use crate::id_uniqueness::refuse_taken;
use crate::tables::{IdTable, Tables};
use crate::{EventBatch, EventRow, Refused, StoreError};

const STORING: &str = "cannot store events";

/// A batch that is written and not yet committed; dropping it rolls it back.
///
/// It holds locks, and in SQLite the only writer: commit or drop it soon. PostgreSQL ends a transaction that is idle
/// for 30 s, so that a frozen process does not block the next owner of its partition.
#[derive(Debug)]
#[must_use = "dropping it rolls the batch back"]
pub struct PendingWrite {
    transaction: Box<dyn Uncommitted>,
    refused: Vec<Refused>,
}

/// A transaction of either database; dropping it rolls it back.
trait Uncommitted: Debug + Send {
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), sqlx::Error>>;
}

impl<D: Database> Uncommitted for Transaction<'static, D> {
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), sqlx::Error>> {
        Transaction::commit(*self).boxed()
    }
}

impl PendingWrite {
    pub(crate) fn new(transaction: Transaction<'static, impl Database>, refused: Vec<Refused>) -> Self {
        Self { transaction: Box::new(transaction), refused }
    }

    /// The rows that the commit does not store, in their order. The caller dead-letters them before it commits, since
    /// the offset moves past them.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Commits the rows and the offset. After an error the commit may still have happened, with its answer lost.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(StoreError::call("cannot commit events"))
    }
}

/// Moves the offset and inserts the rows in the caller's transaction; returns the refused rows.
pub(crate) async fn write_events(tables: &mut impl Tables, batch: &EventBatch<'_>) -> Result<Vec<Refused>, StoreError> {
    // The offset's row locks the partition: a second writer waits here, and then finds the offset moved.
    if !tables.move_offset(batch).await.map_err(StoreError::call("cannot move an offset"))? {
        return Err(StoreError::Superseded {
            consumer: batch.consumer.to_owned(),
            topic: batch.topic.to_owned(),
            partition: batch.partition,
            expected: batch.expected,
        });
    }
    let synthetic_ids: Vec<_> =
        batch.rows.iter().filter(|row| row.is_synthetic_id).map(|row| (row.id, row.digest)).collect();
    if !synthetic_ids.is_empty() {
        tables.delete_stale_events(&synthetic_ids).await.map_err(StoreError::call(STORING))?;
    }
    let mut claims = IdConflicts::new(batch.rows.iter().map(|row| IdClaim { id: row.id, digest: row.digest }));
    claims.refuse(|row, _| nul_in(&text_fields(&batch.rows[row])));
    refuse_taken(tables, IdTable::Events, &mut claims).await.map_err(StoreError::call(STORING))?;
    loop {
        let round = claims.round();
        if round.is_empty() {
            break;
        }
        let results = tables.insert_events(batch, &round).await.map_err(StoreError::call(STORING))?;
        claims.settle(&results);
    }
    Ok(claims.into_refused().into_iter().map(|(row, refusal)| Refused { row, refusal }).collect())
}

fn text_fields<'a>(row: &EventRow<'a>) -> [(&'static str, Option<&'a str>); 5] {
    [
        ("id", Some(row.id)),
        ("type", Some(row.event_type)),
        ("source", Some(row.source)),
        ("key", row.key),
        ("data", Some(row.data)),
    ]
}
