//! Notifications and deliveries in SQLite: one statement a row, since there is no round trip.

use std::collections::HashMap;

use millrace_domain::Digest;
use sqlx::{Row as _, SqliteConnection};

use super::{events, time};
use crate::id_conflicts::{InsertResult, InsertResults};
use crate::notification::{AttemptRow, ProgressRow};
use crate::{Delivery, NewNotification, NotificationResult, Progress, StoreError, StoredNotification};

const INSERT: &str = "
    INSERT INTO notifications (id, user_id, digest, accepted_at, is_synthetic_id) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING";

const DELETE_STALE: &str = "DELETE FROM notifications WHERE id = ? AND digest <> ? AND is_synthetic_id";

const DELETE_DELIVERIES: &str = "DELETE FROM deliveries WHERE event_id = ?";

const DIGEST: &str = "SELECT digest FROM notifications WHERE id = ?";

const PROGRESS: &str = "
    SELECT notifications.id, outcome, destination, max(attempt), max(status = 'delivered')
    FROM notifications LEFT JOIN deliveries ON event_id = notifications.id
    WHERE notifications.id = ?
    GROUP BY destination
    ORDER BY destination";

/// A recorded delivery is not overwritten by a failure.
const RECORD: &str = "
    INSERT INTO deliveries (event_id, user_id, destination, attempt, status, at, error) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event_id, destination, attempt)
    DO UPDATE SET status = excluded.status, at = excluded.at, error = excluded.error
    WHERE deliveries.status <> 'delivered'";

const SET_OUTCOME: &str =
    "UPDATE notifications SET outcome = ?2 WHERE id = ?1 AND outcome IS DISTINCT FROM 'delivered'";

const SELECT: &str = "SELECT user_id, outcome FROM notifications WHERE id = ?";

const ATTEMPTS: &str = "
    SELECT destination, attempt, status, at, error FROM deliveries
    WHERE event_id = ? ORDER BY at, attempt, destination";

const READING: &str = "cannot read a notification";

pub(super) async fn delete_stale(connection: &mut SqliteConnection, new: &[(&str, Digest)]) -> Result<(), sqlx::Error> {
    for (id, digest) in new {
        let deleted = sqlx::query(DELETE_STALE).bind(id).bind(&digest[..]).execute(&mut *connection).await?;
        if deleted.rows_affected() > 0 {
            sqlx::query(DELETE_DELIVERIES).bind(id).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    notifications: &[NewNotification<'_>],
    rows: &[usize],
) -> Result<InsertResults, sqlx::Error> {
    let mut results = InsertResults::new();
    for &row in rows {
        let new = &notifications[row];
        let inserted = sqlx::query(INSERT)
            .bind(new.id)
            .bind(new.user_id)
            .bind(&new.digest[..])
            .bind(time::text(new.accepted_at))
            .bind(new.is_synthetic_id)
            .execute(&mut *connection)
            .await?;
        if inserted.rows_affected() == 0 {
            let stored = sqlx::query(DIGEST).bind(new.id).fetch_one(&mut *connection).await?;
            results.insert(row, InsertResult::Stored(events::digest(&stored, 0)?));
        }
    }
    Ok(results)
}

pub(super) async fn progress(
    connection: &mut SqliteConnection,
    ids: &[&str],
) -> Result<HashMap<String, Progress>, StoreError> {
    let mut rows: Vec<ProgressRow> = Vec::new();
    for &id in ids {
        let of_one = sqlx::query_as(PROGRESS).bind(id).fetch_all(&mut *connection).await;
        rows.extend(of_one.map_err(StoreError::call(READING))?);
    }
    Progress::read(rows)
}

pub(super) async fn record(
    connection: &mut SqliteConnection,
    deliveries: &[Delivery<'_>],
    results: &[NotificationResult<'_>],
) -> Result<(), sqlx::Error> {
    for delivery in deliveries {
        sqlx::query(RECORD)
            .bind(delivery.event_id)
            .bind(delivery.user_id)
            .bind(delivery.destination)
            .bind(delivery.attempt)
            .bind(delivery.status.as_str())
            .bind(time::text(delivery.at))
            .bind(delivery.storable_error())
            .execute(&mut *connection)
            .await?;
    }
    for result in results {
        sqlx::query(SET_OUTCOME).bind(result.event_id).bind(result.outcome.as_str()).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn notification(
    connection: &mut SqliteConnection,
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
                at: time::read(row, 3)?,
                error: row.try_get(4)?,
            })
        })
        .collect();
    StoredNotification::read(id, user_id, outcome, attempts.map_err(call(READING))?).map(Some)
}
