//! Writing a batch of events: the offset first, then the rows, then the caller's word.

use sqlx::{Postgres, Sqlite, Transaction};

use crate::id_conflicts::{IdClaim, IdConflicts, nul_in};
use crate::id_uniqueness::name;
use crate::tables::{IdTable, Tables};
use crate::{EventBatch, EventRow, Refused, StoreError};

const STORING: &str = "cannot store events";

/// A batch that is written and not yet committed. Dropped, it is rolled back.
///
/// It holds locks, and in SQLite the only writer: commit or drop it soon. PostgreSQL ends a transaction that is quiet
/// for 30 s, so that a frozen process does not keep the next owner of its partition waiting.
#[derive(Debug)]
#[must_use = "what is not committed is rolled back"]
pub struct PendingWrite {
    transaction: Open,
    refused: Vec<Refused>,
}

#[derive(Debug)]
pub(crate) enum Open {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

impl PendingWrite {
    pub(crate) fn new(transaction: Open, refused: Vec<Refused>) -> Self {
        Self { transaction, refused }
    }

    /// The rows that will not be there after the commit, in their order: the caller's to keep elsewhere before it
    /// commits, since the offset moves past them.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Makes the rows and the offset last. Where this fails the answer may be what was lost, not the commit.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.transaction {
            Open::Postgres(transaction) => transaction.commit().await,
            Open::Sqlite(transaction) => transaction.commit().await,
        }
        .map_err(StoreError::call("cannot commit events"))
    }
}

/// Moves the offset and inserts the rows, in a transaction that the caller has begun; returns the refused ones.
pub(crate) async fn write_events(tables: &mut impl Tables, batch: &EventBatch<'_>) -> Result<Vec<Refused>, StoreError> {
    // The offset's row is the partition's lock: of two writers one waits here, and then finds the offset moved.
    if !tables.move_offset(batch).await.map_err(StoreError::call("cannot move an offset"))? {
        return Err(StoreError::Superseded {
            consumer: batch.consumer.to_owned(),
            topic: batch.topic.to_owned(),
            partition: batch.partition,
            expected: batch.expected,
        });
    }
    let places: Vec<_> = batch.rows.iter().filter(|row| row.is_synthetic_id).map(|row| (row.id, row.digest)).collect();
    if !places.is_empty() {
        tables.forget_events(&places).await.map_err(StoreError::call(STORING))?;
    }
    let mut claims = IdConflicts::new(batch.rows.iter().map(|row| IdClaim { id: row.id, digest: row.digest }));
    claims.refuse(|row, _| nul_in(&text_of(&batch.rows[row])));
    name(tables, IdTable::Events, &mut claims).await.map_err(StoreError::call(STORING))?;
    loop {
        let round = claims.round();
        if round.is_empty() {
            break;
        }
        let fates = tables.insert_events(batch, &round).await.map_err(StoreError::call(STORING))?;
        claims.settle(&fates);
    }
    Ok(claims.into_refused().into_iter().map(|(row, refusal)| Refused { row, refusal }).collect())
}

fn text_of<'a>(row: &EventRow<'a>) -> [(&'static str, Option<&'a str>); 5] {
    [
        ("id", Some(row.id)),
        ("type", Some(row.event_type)),
        ("source", Some(row.source)),
        ("key", row.key),
        ("data", Some(row.data)),
    ]
}
