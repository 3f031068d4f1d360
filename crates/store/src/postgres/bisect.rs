//! Multi-row inserts in which some rows may be unstorable in PostgreSQL.
//!
//! Such a row fails the whole statement, and the error does not name it. The rows are bisected until it is alone: a
//! good batch costs one statement, a bad row about two for each halving. Savepoints keep the rows that were inserted.

use sqlx::{Connection as _, PgConnection};

use crate::error::unstorable;
use crate::id_conflicts::{InsertResult, InsertResults};

/// Rows that one statement can insert.
pub(super) trait Insert: Sync {
    /// Inserts these; returns those that were stored before.
    fn insert(
        &self,
        connection: &mut PgConnection,
        rows: &[usize],
    ) -> impl Future<Output = Result<InsertResults, sqlx::Error>> + Send;
}

/// Inserts these rows; returns those that cannot be stored and those that were stored before.
pub(super) async fn insert(
    connection: &mut PgConnection,
    table: &impl Insert,
    rows: &[usize],
) -> Result<InsertResults, sqlx::Error> {
    let mut results = InsertResults::new();
    let mut parts = vec![rows];
    while let Some(part) = parts.pop() {
        let mut savepoint = connection.begin().await?;
        match table.insert(&mut savepoint, part).await {
            Ok(known) => {
                savepoint.commit().await?;
                results.extend(known);
            }
            Err(error) => {
                let Some(reason) = unstorable(&error) else { return Err(error) };
                savepoint.rollback().await?;
                if let [row] = part {
                    results.insert(*row, InsertResult::Unstorable(reason));
                } else {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
    }
    Ok(results)
}
