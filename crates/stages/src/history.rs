//! The metrics of a lake, to look at.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use millrace_lake::hour_folder;
use millrace_lake::metrics::{HourFile, Windows};
use millrace_objects::{GetError, Objects};

use crate::error::StageError;
use crate::metrics::{count_file, is_rows, metrics_path};

/// Files read at the same time.
const READS: usize = 8;

/// The windows of hours (since 1970) by their metrics; an hour without metrics has none.
///
/// # Errors
/// [`StageError`] where the lake cannot be read. Metrics that are damaged are in the log, and left out.
pub async fn metrics_of(objects: &Objects, hours: impl IntoIterator<Item = i64>) -> Result<Windows, StageError> {
    let read =
        hours.into_iter().map(|hour| async move { Ok(metrics_of_hour(objects, hour).await?.unwrap_or_default()) });
    merged(read).await
}

/// The same, where an hour without metrics is counted from its rows: `millrace lake clean` makes none.
///
/// # Errors
/// [`StageError`].
pub async fn counts_of(objects: &Objects, hours: impl IntoIterator<Item = i64>) -> Result<Windows, StageError> {
    let read = hours.into_iter().map(|hour| async move {
        match metrics_of_hour(objects, hour).await? {
            Some(windows) => Ok(windows),
            None => counts_of_hour(objects, hour).await,
        }
    });
    merged(read).await
}

/// The hours (since 1970) that have rows or metrics.
///
/// # Errors
/// [`StageError`].
pub async fn hours(objects: &Objects) -> Result<BTreeSet<i64>, StageError> {
    let mut hours = BTreeSet::new();
    for prefix in ["cleaned", "metrics"] {
        for day in objects.folders(prefix).await? {
            let Some(date) = day.strip_prefix("dt=").and_then(|date| date.parse::<Date>().ok()) else { continue };
            let since_1970 = i64::from(date.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days()));
            for hour in objects.folders(&format!("{prefix}/{day}")).await? {
                let hour = hour.strip_prefix("hour=").and_then(|hour| hour.parse::<i64>().ok());
                hours.extend(hour.map(|hour| since_1970 * 24 + hour));
            }
        }
    }
    Ok(hours)
}

async fn merged(
    read: impl Iterator<Item = impl Future<Output = Result<Windows, StageError>>>,
) -> Result<Windows, StageError> {
    let hours: Vec<Windows> = futures_util::stream::iter(read).buffered(READS).try_collect().await?;
    let mut windows = Windows::default();
    for hour in hours {
        windows.merge(hour);
    }
    Ok(windows)
}

async fn metrics_of_hour(objects: &Objects, hour: i64) -> Result<Option<Windows>, StageError> {
    let Ok(folder) = hour_folder("cleaned", hour) else { return Ok(None) };
    let path = metrics_path(&folder);
    match objects.read(&path).await {
        Ok(content) => Ok(HourFile::from_bytes(content.bytes)
            .map(|file| file.windows)
            .map_err(|error| {
                // The stage that makes it makes it anew.
                tracing::error!(metrics = path, %error, "metrics that cannot be read are left out");
            })
            .ok()),
        Err(GetError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn counts_of_hour(objects: &Objects, hour: i64) -> Result<Windows, StageError> {
    let mut windows = Windows::default();
    let Ok(folder) = hour_folder("cleaned", hour) else { return Ok(windows) };
    for name in objects.list(&folder).await?.into_keys().filter(|name| is_rows(name)) {
        windows.merge(count_file(objects.get(&format!("{folder}/{name}")).await?, &format!("{folder}/{name}")).await?);
    }
    Ok(windows)
}
