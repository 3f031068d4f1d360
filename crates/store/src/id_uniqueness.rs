//! One id names one event, over all tables.

use crate::id_conflicts::IdConflicts;
use crate::tables::{IdTable, Tables};

/// Prepares to insert rows into a table, in a transaction that the caller has begun: takes those out whose ids name
/// another payload in the other table, and keeps it so until the transaction ends.
pub(crate) async fn name(
    tables: &mut impl Tables,
    table: IdTable,
    claims: &mut IdConflicts<'_>,
) -> Result<(), sqlx::Error> {
    // First the lock and then the look: between them nobody takes an id.
    tables.begin_naming(table).await?;
    claims.refuse_taken(&tables.digests(table.other(), &claims.ids()).await?);
    Ok(())
}
