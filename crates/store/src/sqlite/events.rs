//! Events and offsets in SQLite.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::time;
use crate::id_conflicts::{InsertResult, InsertResults};
use crate::tables::IdTable;
use millrace_domain::Digest;

use crate::{EventBatch, StoreError, StoredEvent};

/// Rows a statement. SQLite takes 32,766 parameters, and is no faster with more than some hundreds of rows.
const MAX_ROWS: usize = 250;

const INSERT: &str = r#"
    INSERT INTO events
        (id, type, source, topic, "partition", "offset", key, time, received_at, data, digest) VALUES "#;

const ROW: &str = "(?,?,?,?,?,?,?,?,?,?,?)";

const ON_CONFLICT: &str = " ON CONFLICT (id) DO NOTHING";

const SELECT: &str = r#"
    SELECT id, type, source, topic, "partition", "offset", key, time, received_at, data
    FROM events WHERE id = ?"#;

const FIRST_OFFSET: &str = r#"
    INSERT INTO consumer_offsets (consumer, topic, "partition", next_offset) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (consumer, topic, "partition") DO NOTHING"#;

const MOVE_OFFSET: &str = r#"
    UPDATE consumer_offsets SET next_offset = ?4
    WHERE consumer = ?1 AND topic = ?2 AND "partition" = ?3 AND next_offset = ?5"#;

const NEXT_OFFSET: &str =
    r#"SELECT next_offset FROM consumer_offsets WHERE consumer = ? AND topic = ? AND "partition" = ?"#;

/// The last condition keeps an event at another position whose producer chose an id that looks like a position.
const DELETE_STALE: &str = r#"
    DELETE FROM events WHERE id = ? AND digest <> ? AND id = topic || '-' || "partition" || '-' || "offset""#;

pub(super) async fn delete_stale(connection: &mut SqliteConnection, new: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
    for (id, digest) in new {
        sqlx::query(DELETE_STALE).bind(id).bind(&digest[..]).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    batch: &EventBatch<'_>,
    rows: &[usize],
) -> Result<InsertResults, sqlx::Error> {
    let mut results = InsertResults::new();
    for part in rows.chunks(MAX_ROWS) {
        if insert_part(connection, batch, part).await? < part.len() {
            let ids: Vec<_> = part.iter().map(|&row| batch.rows[row].id).collect();
            let stored = digests(connection, IdTable::Events, &ids).await?;
            let other_digest = |&row: &usize| {
                let digest = *stored.get(batch.rows[row].id)?;
                (digest != batch.rows[row].digest).then_some((row, InsertResult::Stored(digest)))
            };
            results.extend(part.iter().filter_map(other_digest));
        }
    }
    Ok(results)
}

async fn insert_part(
    connection: &mut SqliteConnection,
    batch: &EventBatch<'_>,
    part: &[usize],
) -> Result<usize, sqlx::Error> {
    let statement = [INSERT, &vec![ROW; part.len()].join(","), ON_CONFLICT].concat();
    let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(part.len() == MAX_ROWS);
    for &row in part {
        let row = &batch.rows[row];
        query = query
            .bind(row.id)
            .bind(row.event_type)
            .bind(row.source)
            .bind(batch.topic)
            .bind(batch.partition)
            .bind(row.offset)
            .bind(row.key)
            .bind(time::text(row.time))
            .bind(time::text(row.received_at))
            .bind(row.data)
            .bind(&row.digest[..]);
    }
    let inserted = query.execute(connection).await?.rows_affected();
    Ok(usize::try_from(inserted).unwrap_or(usize::MAX))
}

pub(super) async fn digests(
    connection: &mut SqliteConnection,
    table: IdTable,
    ids: &[&str],
) -> Result<HashMap<String, Digest>, sqlx::Error> {
    let select = match table {
        IdTable::Events => "SELECT id, digest FROM events WHERE id IN (",
        IdTable::Notifications => "SELECT id, digest FROM notifications WHERE id IN (",
    };
    let mut digests = HashMap::new();
    for part in ids.chunks(MAX_ROWS) {
        let statement = [select, &vec!["?"; part.len()].join(","), ")"].concat();
        let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(part.len() == MAX_ROWS);
        for id in part {
            query = query.bind(id);
        }
        for row in query.fetch_all(&mut *connection).await? {
            digests.insert(row.try_get(0)?, digest(&row, 1)?);
        }
    }
    Ok(digests)
}

pub(super) fn digest(row: &SqliteRow, column: usize) -> Result<Digest, sqlx::Error> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| sqlx::Error::Decode("a digest is not of 32 bytes".into()))
}

pub(super) async fn move_offset(
    connection: &mut SqliteConnection,
    batch: &EventBatch<'_>,
) -> Result<bool, sqlx::Error> {
    let statement = if batch.expected.is_some() { MOVE_OFFSET } else { FIRST_OFFSET };
    let mut query =
        sqlx::query(statement).bind(batch.consumer).bind(batch.topic).bind(batch.partition).bind(batch.next);
    if let Some(expected) = batch.expected {
        query = query.bind(expected);
    }
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn next_offset(
    connection: &mut SqliteConnection,
    consumer: &str,
    topic: &str,
    partition: i32,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(NEXT_OFFSET).bind(consumer).bind(topic).bind(partition).fetch_optional(connection).await
}

pub(super) async fn event(connection: &mut SqliteConnection, id: &str) -> Result<Option<StoredEvent>, StoreError> {
    let row = sqlx::query(SELECT).bind(id).fetch_optional(connection).await;
    row.and_then(|row| row.as_ref().map(read).transpose()).map_err(StoreError::call("cannot read an event"))
}

fn read(row: &SqliteRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        id: row.try_get("id")?,
        event_type: row.try_get("type")?,
        source: row.try_get("source")?,
        topic: row.try_get("topic")?,
        partition: row.try_get("partition")?,
        offset: row.try_get("offset")?,
        key: row.try_get("key")?,
        time: time::read(row, "time")?,
        received_at: time::read(row, "received_at")?,
        data: row.try_get("data")?,
    })
}
