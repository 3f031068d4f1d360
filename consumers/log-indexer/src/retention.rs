//! Deletes the indices of days that are too old, now and then.

use std::convert::Infallible;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::Counter;
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::Cluster;
use crate::day_index::{DayIndices, first_day};

/// How often it is looked which are too old. Each process of the consumer looks: an index is deleted once.
const INTERVAL: Duration = Duration::from_mins(10);

/// The counter of indices.
const DELETIONS_TOTAL: &str = "millrace_log_indexer_index_deletions_total";

/// Deletes indices that are older than this, until it is dropped.
pub(crate) async fn delete_old(cluster: &Cluster, indices: &DayIndices, retain: SignedDuration) -> Infallible {
    metrics::describe_counter!(
        DELETIONS_TOTAL,
        "Indices older than --index-retain by result: deleted, or failed (and tried again)"
    );
    let counter = |result: &'static str| metrics::counter!(DELETIONS_TOTAL, "result" => result);
    let (deleted, failed) = (counter("deleted"), counter("failed"));
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        delete(cluster, indices, retain, &deleted, &failed).await;
    }
}

async fn delete(cluster: &Cluster, indices: &DayIndices, retain: SignedDuration, deleted: &Counter, failed: &Counter) {
    let first_day = first_day(Timestamp::now(), retain);
    let names = match cluster.own_index_names(indices).await {
        Ok(names) => names,
        Err(error) => return tracing::warn!(%error, retry_in = ?INTERVAL, "looking for old indices failed, retrying"),
    };
    for name in names.iter().filter(|name| indices.day(name).is_some_and(|day| day < first_day)) {
        // One that cannot be deleted, because a snapshot of it is being taken, say, keeps no other.
        match cluster.delete_index(name).await {
            Ok(()) => {
                tracing::info!(index = name, "old index deleted");
                deleted.increment(1);
            }
            Err(error) => {
                tracing::warn!(index = name, %error, retry_in = ?INTERVAL, "deleting an old index failed, retrying");
                failed.increment(1);
            }
        }
    }
}
