//! The metrics of a lake, to look at.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use millrace_lake::metrics::{HourFile, Points, Windows, points_of};
use millrace_lake::{ReadError, hour_folder};
use millrace_objects::{GetError, Objects};

use crate::error::StageError;
use crate::metrics::{count_file, metrics_path};
use crate::rows::row_files;

/// Files read at the same time.
const READS: usize = 8;

/// The points of hours (since 1970) by their metrics; an hour without metrics has none.
///
/// # Errors
/// [`StageError`] where the lake cannot be read. Metrics that are damaged are in the log, and left out.
pub async fn metrics_of(objects: &Objects, hours: impl IntoIterator<Item = i64>) -> Result<Points, StageError> {
    let read = hours.into_iter().map(|hour| async move { bytes_of_hour(objects, hour).await });
    let mut read = std::pin::pin!(futures_util::stream::iter(read).buffered(READS));
    let mut points = Points::default();
    while let Some(hour) = read.next().await {
        let Some((path, bytes)) = hour? else { continue };
        let decoded = decoded(move || {
            let mut of_hour = Points::default();
            points_of(bytes, &mut of_hour).map(|()| of_hour)
        });
        match decoded.await {
            Ok(of_hour) => {
                for (service, more) in of_hour.0 {
                    points.0.entry(service).or_default().extend(more);
                }
            }
            // The stage that makes it makes it anew.
            Err(error) => tracing::error!(metrics = path, error, "metrics that cannot be read are left out"),
        }
    }
    Ok(points)
}

/// The windows of an hour by its metrics; none where there are none, or they cannot be read.
pub(crate) async fn metrics_of_hour(objects: &Objects, hour: i64) -> Result<Option<Windows>, StageError> {
    let Some((path, bytes)) = bytes_of_hour(objects, hour).await? else { return Ok(None) };
    let file = decoded(move || HourFile::from_bytes(bytes)).await;
    Ok(file
        .map(|file| file.windows)
        .inspect_err(|error| tracing::error!(metrics = path, error, "metrics that cannot be read are left out"))
        .ok())
}

/// The windows of hours (since 1970) by their metrics, or where an hour has none by its rows: `millrace lake clean` makes none.
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
    let hours: Vec<Windows> = futures_util::stream::iter(read).buffered(READS).try_collect::<Vec<_>>().await?;
    let mut windows = Windows::default();
    for hour in hours {
        windows.merge(hour);
    }
    Ok(windows)
}

/// The hours (since 1970) that have rows or metrics.
///
/// # Errors
/// [`StageError`].
pub async fn hours(objects: &Objects) -> Result<BTreeSet<i64>, StageError> {
    let mut hours = hours_below(objects, "cleaned", i64::MIN).await?;
    hours.extend(hours_below(objects, "metrics", i64::MIN).await?);
    Ok(hours)
}

/// The hours (since 1970) from this one on that have rows.
pub(crate) async fn hours_of_rows(objects: &Objects, earliest: i64) -> Result<BTreeSet<i64>, StageError> {
    hours_below(objects, "cleaned", earliest).await
}

async fn hours_below(objects: &Objects, prefix: &str, earliest: i64) -> Result<BTreeSet<i64>, StageError> {
    let mut hours = BTreeSet::new();
    for day in objects.folders(prefix).await? {
        let Some(date) = day.strip_prefix("dt=").and_then(|date| date.parse::<Date>().ok()) else { continue };
        let since_1970 = i64::from(date.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days()));
        if (since_1970 + 1) * 24 <= earliest {
            continue;
        }
        for hour in objects.folders(&format!("{prefix}/{day}")).await? {
            let hour = hour.strip_prefix("hour=").and_then(|hour| hour.parse::<i64>().ok());
            hours.extend(hour.map(|hour| since_1970 * 24 + hour));
        }
    }
    hours.retain(|hour| *hour >= earliest);
    Ok(hours)
}

/// Decodes where it may block. Some damaged files make the decoder panic: that is an error as others are.
pub(crate) async fn decoded<T: Send + 'static>(
    decode: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(decode).await {
        Ok(decoded) => decoded.map_err(|error| error.to_string()),
        Err(_) => Err("its decoder has panicked".to_owned()),
    }
}

/// The path of an hour's metrics, and their bytes where there are some.
async fn bytes_of_hour(objects: &Objects, hour: i64) -> Result<Option<(String, Bytes)>, StageError> {
    let Ok(folder) = hour_folder("cleaned", hour) else { return Ok(None) };
    let path = metrics_path(&folder);
    match objects.read(&path).await {
        Ok(content) => Ok(Some((path, content.bytes))),
        Err(GetError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn counts_of_hour(objects: &Objects, hour: i64) -> Result<Windows, StageError> {
    let mut windows = Windows::default();
    let Ok(folder) = hour_folder("cleaned", hour) else { return Ok(windows) };
    for name in row_files(objects, &folder).await?.into_keys() {
        let path = format!("{folder}/{name}");
        windows.merge(count_file(objects.get(&path).await?, &path).await?);
    }
    Ok(windows)
}
