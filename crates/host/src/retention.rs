//! Retention of database rows: a background task deletes old rows while the consumer runs.

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use millrace_store::{RetainedTable, Store, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::exit::SettingError;
use crate::settings::duration;

/// How often old rows are deleted.
const DELETE_INTERVAL: Duration = Duration::from_secs(60);

/// Rows per transaction: its locks are held for some milliseconds.
const BATCH_LIMIT: u32 = 1_000;

/// Accepted range of `--retain`. An event id is known only as long as its row.
const RETAIN_RANGE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(100 * 366 * 24 * 60 * 60)];

/// How long rows are kept.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Database")]
pub struct Retention {
    /// Delete database rows older than this, such as 30d [default: all are kept]
    #[arg(long, value_name = "TIME", value_parser = retain)]
    pub retain: Option<Duration>,
}

fn retain(text: &str) -> Result<Duration, String> {
    let [least, most] = RETAIN_RANGE;
    let retain = duration(text)?;
    let is_within = (least..=most).contains(&retain);
    is_within.then_some(retain).ok_or_else(|| "must be from 1m to 100 years, such as 30d".to_owned())
}

impl Retention {
    /// Checks that `--retain` is used with a database.
    ///
    /// # Errors
    /// [`SettingError`] where there is none.
    pub fn check(self, has_database: bool) -> Result<(), SettingError> {
        match self.retain {
            Some(_) if !has_database => {
                Err(SettingError::of_flag("retain", "there is no --database to delete rows from"))
            }
            _ => Ok(()),
        }
    }

    /// Starts to delete old rows of a table, until the returned value is dropped. Needs a Tokio runtime.
    pub fn start(self, store: &Store, table: RetainedTable) -> Deletion {
        let store = store.clone();
        let task = self.retain.map(|retain| AbortOnDropHandle::new(tokio::spawn(delete_loop(store, table, retain))));
        Deletion { _task: task }
    }
}

/// The task that deletes old rows, if any; aborted on drop.
#[derive(Debug)]
#[must_use = "it ends when this is dropped"]
pub struct Deletion {
    _task: Option<AbortOnDropHandle<()>>,
}

async fn delete_loop(store: Store, table: RetainedTable, retain: Duration) {
    metrics::describe_counter!("millrace_database_deleted_rows_total", "Rows deleted because of --retain, by table");
    let mut ticks = interval(DELETE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let name = table.as_str();
    loop {
        ticks.tick().await;
        match delete(&store, table, retain).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(table = name, rows, ?retain, "old rows deleted"),
            Err(error) => {
                tracing::warn!(table = name, %error, retry_in = ?DELETE_INTERVAL, "deleting old rows failed, retrying");
            }
        }
    }
}

/// Deletes all rows older than `retain`; returns their number.
async fn delete(store: &Store, table: RetainedTable, retain: Duration) -> Result<u64, StoreError> {
    let age = SignedDuration::try_from(retain).unwrap_or(SignedDuration::MAX);
    let before = Timestamp::now().checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
    if !store.prepare_retention(table).await? {
        tracing::info!(table = table.as_str(), "another process is building the index for old rows");
        return Ok(0);
    }
    let deleted_rows = metrics::counter!("millrace_database_deleted_rows_total", "table" => table.as_str());
    let mut all = 0;
    loop {
        let begin = Instant::now();
        let rows = store.delete_older(table, before, BATCH_LIMIT).await?;
        deleted_rows.increment(rows);
        all += rows;
        if rows < u64::from(BATCH_LIMIT) {
            return Ok(all);
        }
        // Leaves half of the time to other writers.
        sleep(begin.elapsed()).await;
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use millrace_store::{EventBatch, EventRow, sqlite_url};

    use super::*;

    /// Writes `old` events of an hour ago and one of now, each under its number.
    async fn write(store: &Store, old: usize) {
        let ids: Vec<_> = (0..=old).map(|number| number.to_string()).collect();
        let now = Timestamp::now();
        let rows: Vec<_> = ids
            .iter()
            .enumerate()
            .map(|(number, id)| EventRow {
                id,
                event_type: "test",
                source: "/test",
                offset: 0,
                key: None,
                time: now.into(),
                received_at: if number < old { now - SignedDuration::from_hours(1) } else { now },
                data: "{}",
                digest: [1; 32],
                is_synthetic_id: false,
            })
            .collect();
        let (consumer, topic, partition) = ("test", "events", 0);
        let batch = EventBatch { consumer, topic, partition, expected: None, next: 1, rows: &rows };
        store.write_events(batch).await.unwrap().commit().await.unwrap();
    }

    #[test]
    fn old_rows_are_deleted_in_batches_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let old = usize::try_from(BATCH_LIMIT).unwrap() * 2 + 500;
        let deleted = metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                let store = Store::connect(&sqlite_url(&folder.path().join("rows.db"))).await.unwrap();
                write(&store, old).await;
                let deleted = delete(&store, RetainedTable::Events, Duration::from_secs(60)).await.unwrap();
                assert!(store.event(&old.to_string()).await.unwrap().is_some(), "the young one stays");
                assert_eq!(delete(&store, RetainedTable::Events, Duration::from_secs(60)).await.unwrap(), 0);
                deleted
            })
        });
        assert_eq!(deleted, old as u64);
        let counted = format!("millrace_database_deleted_rows_total{{table=\"events\"}} {old}");
        assert!(recorder.handle().render().contains(&counted), "{}", recorder.handle().render());
    }

    #[test]
    fn rows_are_kept_for_a_minute_at_least() {
        assert_eq!(retain("30d"), Ok(Duration::from_secs(30 * 24 * 60 * 60)));
        assert_eq!(retain("1m"), Ok(Duration::from_secs(60)));
        for wrong in ["0s", "59s", "30", "", "101years"] {
            let error = retain(wrong).expect_err(wrong);
            assert!(error.contains("1m"), "{wrong}: {error}");
        }
    }
}
