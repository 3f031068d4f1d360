//! Deletes the indices of days that are too old, now and then.

use std::convert::Infallible;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::{CallError, Cluster};
use crate::day_index::{DayIndices, first_day};

/// How often it is looked which are too old. Each process of the consumer looks: an index is deleted once.
const INTERVAL: Duration = Duration::from_hours(1);

/// The counter of deleted indices.
const DELETED_TOTAL: &str = "millrace_log_indexer_deleted_indices_total";

/// Deletes indices that are older than this, until it is dropped.
pub(crate) async fn delete_old(cluster: &Cluster, indices: &DayIndices, retain: SignedDuration) -> Infallible {
    metrics::describe_counter!(DELETED_TOTAL, "Indices deleted because of --index-retain");
    let deleted = metrics::counter!(DELETED_TOTAL);
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match delete(cluster, indices, retain).await {
            Ok(count) => deleted.increment(count),
            Err(error) => tracing::warn!(%error, retry_in = ?INTERVAL, "deleting old indices failed, retrying"),
        }
    }
}

async fn delete(cluster: &Cluster, indices: &DayIndices, retain: SignedDuration) -> Result<u64, CallError> {
    let first_day = first_day(Timestamp::now(), retain);
    let mut deleted = 0;
    for name in cluster.index_names(indices).await? {
        if indices.day(&name).is_some_and(|day| day < first_day) {
            cluster.delete_index(&name).await?;
            tracing::info!(index = name, "old index deleted");
            deleted += 1;
        }
    }
    Ok(deleted)
}
