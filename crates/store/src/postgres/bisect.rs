//! Inserting many rows in one statement although some may hold what PostgreSQL cannot store.
//!
//! Such a row fails the whole statement, which does not say which it was. The rows are halved until the culprits stand
//! alone: a good batch costs one statement, a bad row about two for each halving. Savepoints keep what went well.

use sqlx::{Connection as _, PgConnection};

use crate::error::unstorable;
use crate::id_conflicts::{Fates, InsertResult};

/// Rows that one statement can insert.
pub(super) trait Insert: Sync {
    /// Inserts these; the answer names those that were there before.
    fn insert(
        &self,
        connection: &mut PgConnection,
        rows: &[usize],
    ) -> impl Future<Output = Result<Fates, sqlx::Error>> + Send;
}

/// Inserts these rows, and names those that cannot be stored beside those that were there before.
pub(super) async fn insert(
    connection: &mut PgConnection,
    table: &impl Insert,
    rows: &[usize],
) -> Result<Fates, sqlx::Error> {
    let mut fates = Fates::new();
    let mut parts = vec![rows];
    while let Some(part) = parts.pop() {
        let mut savepoint = connection.begin().await?;
        match table.insert(&mut savepoint, part).await {
            Ok(known) => {
                savepoint.commit().await?;
                fates.extend(known);
            }
            Err(error) => {
                let Some(reason) = unstorable(&error) else { return Err(error) };
                savepoint.rollback().await?;
                if let [row] = part {
                    fates.insert(*row, InsertResult::Unstorable(reason));
                } else {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
    }
    Ok(fates)
}
