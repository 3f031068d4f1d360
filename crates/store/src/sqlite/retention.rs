//! Deleting old rows from SQLite. The file keeps its size: free pages are reused.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::time;
use crate::RetainedTable;

const DELETE_EVENTS: &str = "
    DELETE FROM events WHERE rowid IN (
        SELECT rowid FROM events WHERE received_at < ?1 ORDER BY received_at LIMIT ?2)";

const OLD_NOTIFICATIONS: &str = "
    SELECT id FROM notifications
    WHERE accepted_at < ?1 AND outcome IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = notifications.id AND at >= ?1)
    ORDER BY accepted_at LIMIT ?2";

pub(super) async fn delete_older(
    connection: &mut SqliteConnection,
    table: RetainedTable,
    time: Timestamp,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let time = time::text(time);
    match table {
        RetainedTable::Events => {
            let deleted = sqlx::query(DELETE_EVENTS).bind(time).bind(limit).execute(connection).await?;
            Ok(deleted.rows_affected())
        }
        RetainedTable::Notifications => {
            // No other transaction writes between the select and the deletes.
            let old: Vec<String> =
                sqlx::query_scalar(OLD_NOTIFICATIONS).bind(time).bind(limit).fetch_all(&mut *connection).await?;
            for id in &old {
                sqlx::query("DELETE FROM deliveries WHERE event_id = ?").bind(id).execute(&mut *connection).await?;
                sqlx::query("DELETE FROM notifications WHERE id = ?").bind(id).execute(&mut *connection).await?;
            }
            Ok(old.len() as u64)
        }
    }
}

pub(super) async fn ensure_index(connection: &mut SqliteConnection, table: RetainedTable) -> Result<(), sqlx::Error> {
    let (index, column) = table.index();
    let create_index = format!("CREATE INDEX IF NOT EXISTS {index} ON {column}");
    sqlx::raw_sql(AssertSqlSafe(create_index)).execute(connection).await.map(drop)
}
