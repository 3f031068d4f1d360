//! The metrics of a lake, to look at.

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use millrace_lake::metrics::{HourFile, Points, Windows, points_of};
use millrace_lake::{ReadError, hour_folder};
use millrace_objects::{GetError, Objects};

use crate::error::StageError;
use crate::metrics::{count_file, metrics_path};
use crate::rows::row_files;

/// How often an hour is read again whose files change meanwhile.
const CHANGES: usize = 8;

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
    let mut hours = hours_below(objects, "cleaned", i64::MIN..i64::MAX).await?;
    hours.extend(hours_below(objects, "metrics", i64::MIN..i64::MAX).await?);
    Ok(hours)
}

/// Those of some hours (since 1970) that have rows.
pub(crate) async fn hours_of_rows(objects: &Objects, among: Range<i64>) -> Result<BTreeSet<i64>, StageError> {
    hours_below(objects, "cleaned", among).await
}

async fn hours_below(objects: &Objects, prefix: &str, among: Range<i64>) -> Result<BTreeSet<i64>, StageError> {
    let mut hours = BTreeSet::new();
    for day in objects.folders(prefix).await? {
        let Some(date) = day.strip_prefix("dt=").and_then(|date| date.parse::<Date>().ok()) else { continue };
        let since_1970 = i64::from(date.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days()));
        if (since_1970 + 1) * 24 <= among.start || since_1970 * 24 >= among.end {
            continue;
        }
        for hour in objects.folders(&format!("{prefix}/{day}")).await? {
            let hour = hour.strip_prefix("hour=").and_then(|hour| hour.parse::<i64>().ok());
            hours.extend(hour.filter(|hour| (0..24).contains(hour)).map(|hour| since_1970 * 24 + hour));
        }
    }
    hours.retain(|hour| among.contains(hour));
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

/// The windows of an hour by its rows. A file that cannot be read is in the log, and left out.
async fn counts_of_hour(objects: &Objects, hour: i64) -> Result<Windows, StageError> {
    let Ok(folder) = hour_folder("cleaned", hour) else { return Ok(Windows::default()) };
    for _ in 0..CHANGES {
        if let Some(windows) = counts_of_folder(objects, &folder).await? {
            return Ok(windows);
        }
    }
    Err(StageError::S3Unavailable(format!("{folder} changed whenever it was read")))
}

/// None where a file went meanwhile, as compaction removes them.
async fn counts_of_folder(objects: &Objects, folder: &str) -> Result<Option<Windows>, StageError> {
    let mut windows = Windows::default();
    for name in row_files(objects, folder).await?.into_keys() {
        let path = format!("{folder}/{name}");
        let object = match objects.get(&path).await {
            Err(GetError::Missing { .. }) => return Ok(None),
            object => object?,
        };
        match count_file(object, &path).await {
            Ok(of_file) => windows.merge(of_file),
            Err(error @ StageError::MetricsGenerationFailed(_)) => {
                tracing::error!(%error, "a file of rows that cannot be read is left out");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(windows))
}
