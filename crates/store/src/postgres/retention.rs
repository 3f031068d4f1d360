//! Deleting old rows from PostgreSQL.

use jiff_sqlx::ToSqlx as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::RetainedTable;

/// Rows locked by other sessions are left for the next batch, so that retention never waits for a writer.
const DELETE_EVENTS: &str = "
    DELETE FROM events WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM events WHERE received_at < $1 ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

const DELETE_NOTIFICATIONS: &str = "
    WITH deleted AS (
        DELETE FROM notifications WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM notifications
            WHERE accepted_at < $1 AND outcome IS NOT NULL
                AND NOT EXISTS (SELECT FROM deliveries WHERE event_id = notifications.id AND at >= $1)
            ORDER BY accepted_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        RETURNING id
    ), attempts AS (
        DELETE FROM deliveries USING deleted WHERE deliveries.event_id = deleted.id
    )
    SELECT count(*) FROM deleted";

/// Whether an index is valid; an interrupted build leaves an invalid one behind.
const IS_VALID: &str = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";

/// The key of the advisory lock under which one process at a time builds indexes.
const INDEX_BUILD_LOCK: i64 = i64::from_be_bytes(*b"millrace");

/// An index build takes long on a large table, and waits for older transactions.
const NO_TIMEOUTS: &str = "SET statement_timeout = 0; SET lock_timeout = 0";

pub(crate) async fn delete_older(
    pool: &PgPool,
    table: RetainedTable,
    time: jiff::Timestamp,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let (time, limit) = (time.to_sqlx(), i64::from(limit));
    match table {
        RetainedTable::Events => {
            let deleted = sqlx::query(DELETE_EVENTS).bind(time).bind(limit).execute(pool).await?;
            Ok(deleted.rows_affected())
        }
        RetainedTable::Notifications => {
            let deleted: i64 = sqlx::query_scalar(DELETE_NOTIFICATIONS).bind(time).bind(limit).fetch_one(pool).await?;
            Ok(deleted.unsigned_abs())
        }
    }
}

/// Builds the index without blocking writers; `false`: another process is building one.
pub(crate) async fn ensure_index(pool: &PgPool, table: RetainedTable) -> Result<bool, sqlx::Error> {
    if is_valid(&mut *pool.acquire().await?, table).await? == Some(true) {
        return Ok(true);
    }
    // A session of its own: its end releases the lock, also after a failed build.
    let mut connection = pool.acquire().await?.detach();
    let built = build(&mut connection, table).await;
    connection.close().await?;
    built
}

async fn build(connection: &mut PgConnection, table: RetainedTable) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql(NO_TIMEOUTS).execute(&mut *connection).await?;
    let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(INDEX_BUILD_LOCK)
        .fetch_one(&mut *connection)
        .await?;
    if !locked {
        return Ok(false);
    }
    let (index, column) = table.index();
    match is_valid(connection, table).await? {
        Some(true) => return Ok(true),
        Some(false) => {
            let drop_index = format!("DROP INDEX CONCURRENTLY {index}");
            sqlx::raw_sql(AssertSqlSafe(drop_index)).execute(&mut *connection).await?;
        }
        None => {}
    }
    let create_index = format!("CREATE INDEX CONCURRENTLY {index} ON {column}");
    sqlx::raw_sql(AssertSqlSafe(create_index)).execute(connection).await?;
    Ok(true)
}

async fn is_valid(connection: &mut PgConnection, table: RetainedTable) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar(IS_VALID).bind(table.index().0).fetch_optional(connection).await
}
