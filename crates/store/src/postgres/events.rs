//! Events and offsets in PostgreSQL.

use jiff_sqlx::{DateTime, Timestamp, ToSqlx as _};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::bisect::Insert;
use super::digests;
use crate::id_conflicts::{InsertResult, InsertResults};
use crate::tables::IdTable;
use millrace_domain::{Digest, UtcDateTime};

use crate::{EventBatch, EventRow, StoreError, StoredEvent};

/// One array a column: one prepared statement for any number of rows. Measured, it is as fast as COPY into a temporary
/// table and an insert from there.
const INSERT: &str = r#"
    INSERT INTO events
        (id, type, source, topic, partition, "offset", key, time, received_at, data, digest)
    SELECT row.id, row.type, row.source, $1, $2, row."offset", row.key, row.time AT TIME ZONE 'UTC', row.received_at,
           row.data::jsonb, row.digest
    FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::timestamp[], $9::timestamptz[],
                $10::text[], $11::bytea[])
        AS row(id, type, source, "offset", key, time, received_at, data, digest)
    ON CONFLICT (id) DO NOTHING"#;

/// The last condition keeps an event at another position whose producer chose an id that looks like a position.
const DELETE_STALE: &str = r#"
    DELETE FROM events USING unnest($1::text[], $2::bytea[]) AS incoming(id, digest)
    WHERE events.id = incoming.id AND events.digest <> incoming.digest
        AND events.id = concat_ws('-', events.topic, events.partition, events."offset")"#;

const SELECT: &str = r#"
    SELECT id, type, source, topic, partition, "offset", key, time AT TIME ZONE 'UTC' AS time, received_at, data::text,
           digest
    FROM events WHERE id = $1"#;

const FIRST_OFFSET: &str = "
    INSERT INTO consumer_offsets (consumer, topic, partition, next_offset) VALUES ($1, $2, $3, $4)
    ON CONFLICT (consumer, topic, partition) DO NOTHING";

const MOVE_OFFSET: &str = "
    UPDATE consumer_offsets SET next_offset = $4
    WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset = $5";

const NEXT_OFFSET: &str =
    "SELECT next_offset FROM consumer_offsets WHERE consumer = $1 AND topic = $2 AND partition = $3";

pub(super) async fn delete_stale(connection: &mut PgConnection, new: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
    sqlx::query(DELETE_STALE)
        .bind(new.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, digest)| &digest[..]).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}

/// The rows of a topic's partition.
pub(super) struct Events<'a>(pub(super) &'a str, pub(super) i32, pub(super) &'a [EventRow<'a>]);

impl Insert for Events<'_> {
    async fn insert(&self, connection: &mut PgConnection, rows: &[usize]) -> Result<InsertResults, sqlx::Error> {
        let Self(topic, partition, all) = self;
        let ids: Vec<_> = rows.iter().map(|&row| all[row].id).collect();
        let inserted = sqlx::query(INSERT)
            .bind(topic)
            .bind(partition)
            .bind(&ids)
            .bind(column(all, rows, |row| row.event_type))
            .bind(column(all, rows, |row| row.source))
            .bind(column(all, rows, |row| row.offset))
            .bind(column(all, rows, |row| row.key))
            .bind(column(all, rows, |row| row.time.as_civil().to_sqlx()))
            .bind(column(all, rows, |row| row.received_at.to_sqlx()))
            .bind(column(all, rows, |row| row.data))
            .bind(rows.iter().map(|&row| &all[row].digest[..]).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        if usize::try_from(inserted.rows_affected()) == Ok(rows.len()) {
            return Ok(InsertResults::new());
        }
        let stored = digests(connection, IdTable::Events, &ids).await?;
        let other_digest = |&row: &usize| {
            let digest = *stored.get(all[row].id)?;
            (digest != all[row].digest).then_some((row, InsertResult::Stored(digest)))
        };
        Ok(rows.iter().filter_map(other_digest).collect())
    }
}

fn column<'a, T>(all: &[EventRow<'a>], rows: &[usize], of: impl Fn(&EventRow<'a>) -> T) -> Vec<T> {
    rows.iter().map(|&row| of(&all[row])).collect()
}

pub(super) async fn move_offset(connection: &mut PgConnection, batch: &EventBatch<'_>) -> Result<bool, sqlx::Error> {
    let statement = if batch.expected.is_some() { MOVE_OFFSET } else { FIRST_OFFSET };
    let mut query =
        sqlx::query(statement).bind(batch.consumer).bind(batch.topic).bind(batch.partition).bind(batch.next);
    if let Some(expected) = batch.expected {
        query = query.bind(expected);
    }
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn next_offset(
    connection: &mut PgConnection,
    consumer: &str,
    topic: &str,
    partition: i32,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(NEXT_OFFSET).bind(consumer).bind(topic).bind(partition).fetch_optional(connection).await
}

pub(super) async fn event(connection: &mut PgConnection, id: &str) -> Result<Option<StoredEvent>, StoreError> {
    let row = sqlx::query(SELECT).bind(id).fetch_optional(connection).await;
    row.and_then(|row| row.as_ref().map(read).transpose()).map_err(StoreError::call("cannot read an event"))
}

fn read(row: &PgRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        id: row.try_get("id")?,
        event_type: row.try_get("type")?,
        source: row.try_get("source")?,
        topic: row.try_get("topic")?,
        partition: row.try_get("partition")?,
        offset: row.try_get("offset")?,
        key: row.try_get("key")?,
        time: UtcDateTime::from_civil(row.try_get::<DateTime, _>("time")?.to_jiff())
            .ok_or_else(|| sqlx::Error::Decode("a time is before the year 0000".into()))?,
        received_at: row.try_get::<Timestamp, _>("received_at")?.to_jiff(),
        data: row.try_get("data")?,
    })
}
