//! Uniqueness of event ids over all tables.

use crate::id_conflicts::IdConflicts;
use crate::tables::{IdTable, Tables};

/// Before an insert in the caller's transaction: refuses rows whose ids have another payload in the other table, and
/// locks that out until the transaction ends.
pub(crate) async fn refuse_taken(
    tables: &mut impl Tables,
    table: IdTable,
    claims: &mut IdConflicts<'_>,
) -> Result<(), sqlx::Error> {
    // Lock before reading: no other writer can take an id in between.
    tables.lock_ids(table).await?;
    claims.refuse_taken(&tables.digests(table.other(), &claims.ids()).await?);
    Ok(())
}
