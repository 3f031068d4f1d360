//! The batch mode: effects are rows of a database, which would keep the same row twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use millrace_consumer::{Attempt, Batch, BatchError, BatchProcessor, OffsetStorage, Refused, Written};
use millrace_kafka::Record;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::fixture::Fixture;
use crate::load;
use crate::process::Job;

const TABLES: &str = r#"
    CREATE TABLE IF NOT EXISTS rows ("partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS progress ("partition" INTEGER PRIMARY KEY, next INTEGER NOT NULL);"#;

const INSERT_ROW: &str = r#"INSERT INTO rows ("partition", "offset") VALUES (?, ?)"#;

const SELECT_ROWS: &str = r#"SELECT "partition", "offset" FROM rows ORDER BY "partition", "offset""#;

const SELECT_PROGRESS: &str = r#"SELECT "partition", next FROM progress"#;

const SELECT_NEXT: &str = r#"SELECT next FROM progress WHERE "partition" = ?"#;

const SET_NEXT: &str = r#"INSERT OR REPLACE INTO progress ("partition", next) VALUES (?, ?)"#;

/// Keeps places of records in a database.
pub(crate) struct Keeper(SqlitePool);

impl Keeper {
    pub(crate) async fn open(job: &Job) -> Self {
        Self(open(&job.folder).await)
    }
}

async fn open(folder: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(folder.join("rows.db")).create_if_missing(true);
    // SQLite has one writer at a time.
    let database = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::raw_sql(TABLES).execute(&database).await.unwrap();
    database
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` has it
fn fatal(error: sqlx::Error) -> BatchError {
    BatchError::Fatal { reason: error.to_string() }
}

pub(crate) struct Row {
    offset: i64,
    is_refused: bool,
}

impl BatchProcessor for Keeper {
    const OFFSETS: OffsetStorage = OffsetStorage::Store;

    type Row<'r> = Row;
    type Pending = Transaction<'static, Sqlite>;

    async fn resume(&self, _topic: &str, partition: i32) -> Result<Option<i64>, BatchError> {
        sqlx::query_scalar(SELECT_NEXT).bind(partition).fetch_optional(&self.0).await.map_err(fatal)
    }

    fn read(&self, record: &Record<'_>) -> Result<Row, String> {
        Ok(Row { offset: record.offset(), is_refused: load::is_refused(record) })
    }

    async fn write(
        &self,
        batch: &Batch<'_, Self::Row<'_>>,
        _attempt: &Attempt<'_>,
    ) -> Result<Written<Self::Pending>, BatchError> {
        // As long as a database elsewhere takes: batches of several partitions are under way at any moment.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut pending = self.0.begin().await.map_err(fatal)?;
        let stored = sqlx::query_scalar(SELECT_NEXT).bind(batch.partition).fetch_optional(&mut *pending).await;
        if stored.map_err(fatal)? != batch.expected {
            return Err(BatchError::OffsetConflict);
        }
        let mut refused = Vec::new();
        for (index, row) in batch.rows.iter().enumerate() {
            if row.is_refused {
                refused.push(Refused { index, reason: "it says so".to_owned() });
            } else {
                insert(&mut pending, batch.partition, row.offset).await.map_err(fatal)?;
            }
        }
        let moved = sqlx::query(SET_NEXT).bind(batch.partition).bind(batch.next).execute(&mut *pending).await;
        moved.map_err(fatal)?;
        Ok(Written { pending, refused })
    }

    async fn commit(&self, pending: Self::Pending) -> Result<(), BatchError> {
        pending.commit().await.map_err(fatal)
    }
}

async fn insert(pending: &mut Transaction<'static, Sqlite>, partition: i32, offset: i64) -> Result<(), sqlx::Error> {
    let row = sqlx::query(INSERT_ROW).bind(partition).bind(offset);
    row.execute(&mut **pending).await.map(drop)
}

/// The database's rows, and how far it says each partition is stored.
async fn contents(fixture: &Fixture) -> (Vec<(i32, i64)>, BTreeMap<i32, i64>) {
    let database = open(&fixture.job.folder).await;
    let rows = sqlx::query_as(SELECT_ROWS).fetch_all(&database).await.unwrap();
    let progress: Vec<(i32, i64)> = sqlx::query_as(SELECT_PROGRESS).fetch_all(&database).await.unwrap();
    database.close().await;
    (rows, progress.into_iter().collect())
}

/// What lies before the stored offsets is stored or has its letter, and what lies behind them is not stored.
pub(crate) async fn assert_rows_and_offsets_are_of_one_piece(fixture: &Fixture) {
    let (rows, progress) = contents(fixture).await;
    let is_stored = |&(partition, offset): &(i32, i64)| progress.get(&partition).is_some_and(|&next| offset < next);
    let expected: Vec<_> = fixture.sound().into_iter().filter(is_stored).collect();
    assert_eq!(rows, expected, "rows below the offsets {progress:?}");
    let lettered = fixture.lettered().await;
    let lost: Vec<_> =
        fixture.poison().into_iter().filter(is_stored).filter(|place| !lettered.contains(place)).collect();
    assert!(lost.is_empty(), "neither stored nor lettered: {lost:?}");
    for (partition, committed) in fixture.committed().await {
        let stored = progress.get(&partition).copied().unwrap_or(0);
        assert!(committed <= stored, "the group is at {committed}, the database at {stored}");
    }
}

/// All that can be stored is, once, and the rest has its letters.
pub(crate) async fn assert_all_is_stored(fixture: &Fixture) {
    let (rows, progress) = contents(fixture).await;
    assert_eq!(rows, fixture.sound());
    assert_eq!(progress, fixture.ends().await);
    let mut lettered = fixture.lettered().await;
    assert!(lettered.len() <= fixture.poison().len() * 2, "a process writes a letter once: {lettered:?}");
    lettered.dedup();
    assert_eq!(lettered, fixture.poison(), "letters of exactly the poison");
}
