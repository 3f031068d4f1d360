//! Notifications and deliveries in PostgreSQL.

use std::collections::{HashMap, HashSet};

use jiff_sqlx::{Timestamp, ToSqlx as _};
use sqlx::{PgConnection, Row as _};

use super::bisect::Insert;
use super::digests;
use crate::id_conflicts::{InsertResult, InsertResults};
use crate::notification::{AttemptRow, ProgressRow};
use crate::tables::IdTable;
use millrace_domain::Digest;

use crate::{Delivery, NewNotification, NotificationResult, Progress, StoreError, StoredNotification};

const INSERT: &str = "
    INSERT INTO notifications (id, user_id, digest, accepted_at, is_synthetic_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::boolean[])
    ON CONFLICT (id) DO NOTHING
    RETURNING id";

const DELETE_STALE: &str = "
    WITH deleted AS (
        DELETE FROM notifications USING unnest($1::text[], $2::bytea[]) AS incoming(id, digest)
        WHERE notifications.id = incoming.id AND notifications.digest <> incoming.digest
            AND notifications.is_synthetic_id
        RETURNING notifications.id
    )
    DELETE FROM deliveries USING deleted WHERE deliveries.event_id = deleted.id";

const PROGRESS: &str = "
    SELECT notifications.id, outcome, destination, max(attempt), bool_or(status = 'delivered')
    FROM notifications LEFT JOIN deliveries ON event_id = notifications.id
    WHERE notifications.id = ANY($1)
    GROUP BY notifications.id, destination
    ORDER BY destination";

/// A recorded delivery is not overwritten by a failure.
const RECORD: &str = "
    INSERT INTO deliveries (event_id, user_id, destination, attempt, status, at, error)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::timestamptz[], $7::text[])
    ON CONFLICT (event_id, destination, attempt)
    DO UPDATE SET status = excluded.status, at = excluded.at, error = excluded.error
    WHERE deliveries.status <> 'delivered'";

const SET_OUTCOME: &str = "
    UPDATE notifications SET outcome = result.outcome
    FROM unnest($1::text[], $2::text[]) AS result(id, outcome)
    WHERE notifications.id = result.id AND notifications.outcome IS DISTINCT FROM 'delivered'";

const SELECT: &str = "SELECT user_id, outcome FROM notifications WHERE id = $1";

const ATTEMPTS: &str = "
    SELECT destination, attempt, status, at, error FROM deliveries
    WHERE event_id = $1 ORDER BY at, attempt, destination";

const READING: &str = "cannot read a notification";

/// Notifications to be inserted.
pub(super) struct Notifications<'a>(pub(super) &'a [NewNotification<'a>]);

impl Insert for Notifications<'_> {
    async fn insert(&self, connection: &mut PgConnection, rows: &[usize]) -> Result<InsertResults, sqlx::Error> {
        let row = |&row: &usize| &self.0[row];
        let new: HashSet<String> = sqlx::query_scalar(INSERT)
            .bind(rows.iter().map(|index| row(index).id).collect::<Vec<_>>())
            .bind(rows.iter().map(|index| row(index).user_id).collect::<Vec<_>>())
            .bind(rows.iter().map(|index| &row(index).digest[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|index| row(index).accepted_at.to_sqlx()).collect::<Vec<_>>())
            .bind(rows.iter().map(|index| row(index).is_synthetic_id).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?
            .into_iter()
            .collect();
        let known: HashMap<_, _> =
            rows.iter().map(|index| (row(index).id, *index)).filter(|(id, _)| !new.contains(*id)).collect();
        if known.is_empty() {
            return Ok(InsertResults::new());
        }
        let ids: Vec<_> = known.keys().copied().collect();
        let stored = digests(connection, IdTable::Notifications, &ids).await?;
        Ok(stored
            .into_iter()
            .filter_map(|(id, digest)| Some((*known.get(&*id)?, InsertResult::Stored(digest))))
            .collect())
    }
}

pub(super) async fn delete_stale(connection: &mut PgConnection, new: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
    sqlx::query(DELETE_STALE)
        .bind(new.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, digest)| &digest[..]).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn progress(
    connection: &mut PgConnection,
    ids: &[&str],
) -> Result<HashMap<String, Progress>, StoreError> {
    let rows: Vec<ProgressRow> =
        sqlx::query_as(PROGRESS).bind(ids).fetch_all(connection).await.map_err(StoreError::call(READING))?;
    Progress::read(rows)
}

pub(super) async fn record(
    connection: &mut PgConnection,
    deliveries: &[Delivery<'_>],
    results: &[NotificationResult<'_>],
) -> Result<(), sqlx::Error> {
    if !deliveries.is_empty() {
        sqlx::query(RECORD)
            .bind(deliveries.iter().map(|delivery| delivery.event_id).collect::<Vec<_>>())
            .bind(deliveries.iter().map(|delivery| delivery.user_id).collect::<Vec<_>>())
            .bind(deliveries.iter().map(|delivery| delivery.destination).collect::<Vec<_>>())
            .bind(deliveries.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>())
            .bind(deliveries.iter().map(|delivery| delivery.status.as_str()).collect::<Vec<_>>())
            .bind(deliveries.iter().map(|delivery| delivery.at.to_sqlx()).collect::<Vec<_>>())
            .bind(deliveries.iter().map(Delivery::storable_error).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    if !results.is_empty() {
        sqlx::query(SET_OUTCOME)
            .bind(results.iter().map(|result| result.event_id).collect::<Vec<_>>())
            .bind(results.iter().map(|result| result.outcome.as_str()).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn notification(
    connection: &mut PgConnection,
    id: &str,
) -> Result<Option<StoredNotification>, StoreError> {
    let call = StoreError::call;
    let found = sqlx::query_as(SELECT).bind(id).fetch_optional(&mut *connection).await.map_err(call(READING))?;
    let Some((user_id, outcome)) = found else { return Ok(None) };
    let rows = sqlx::query(ATTEMPTS).bind(id).fetch_all(connection).await.map_err(call(READING))?;
    let attempts: Result<Vec<AttemptRow>, sqlx::Error> = rows
        .iter()
        .map(|row| {
            Ok(AttemptRow {
                destination: row.try_get(0)?,
                attempt: row.try_get(1)?,
                status: row.try_get(2)?,
                at: row.try_get::<Timestamp, _>(3)?.to_jiff(),
                error: row.try_get(4)?,
            })
        })
        .collect();
    StoredNotification::read(id, user_id, outcome, attempts.map_err(call(READING))?).map(Some)
}
