//! Where an event is in a lake: the raw object with its line, and the files with its rows.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use millrace_lake::{FoundRow, file_name, find_line, find_rows, hour_folder, hour_of_file};
use millrace_objects::{GetError, Objects};

use crate::clean::source;
use crate::error::StageError;
use crate::history::decoded;
use crate::manifest::Manifest;
use crate::rows::row_files;
use crate::space;

/// Seconds in an hour.
const HOUR: i64 = 3_600;

/// The prefix of raw objects.
const RAW: &str = "raw";

/// A row, and the file it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace {
    /// The file, relative to the lake.
    pub file: String,
    /// When it was written.
    pub written: Timestamp,
    /// The row.
    pub row: FoundRow,
}

/// A line, and the object it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePlace {
    /// The object, relative to the lake.
    pub object: String,
    /// When it was written.
    pub written: Timestamp,
    /// The line's number, from 1.
    pub line: u64,
}

/// The hour (since 1970) of a time.
pub fn hour_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(HOUR)
}

/// The rows of these hours (since 1970) that have this id.
///
/// # Errors
/// [`StageError`] where the lake cannot be read. A file that is no rows of ours is in the log, and left out.
pub async fn rows_by_id(
    objects: &Objects,
    hours: impl IntoIterator<Item = i64>,
    id: &str,
) -> Result<Vec<RowPlace>, StageError> {
    let mut found = Vec::new();
    for hour in hours {
        let Ok(folder) = hour_folder("cleaned", hour) else { continue };
        for (name, listed) in row_files(objects, &folder).await? {
            let file = format!("{folder}/{name}");
            let object = match objects.get(&file).await {
                // Compaction removes files: the row is in another one.
                Err(GetError::Missing { .. }) => continue,
                object => object?,
            };
            let (copy, id) = (space::copied(object, &file, tempfile::tempfile).await?, id.to_owned());
            match decoded(move || find_rows(copy, &id)).await {
                Ok(rows) => {
                    let place = |row| RowPlace { file: file.clone(), written: listed.written, row };
                    found.extend(rows.into_iter().map(place));
                }
                Err(error) => tracing::error!(file, error, "a file of rows that cannot be read is left out"),
            }
        }
    }
    Ok(found)
}

/// The hours (since 1970) of the rows that a raw object became; none where it was not cleaned.
///
/// # Errors
/// [`StageError`] where the lake cannot be read.
pub async fn hours_of_object(objects: &Objects, object: &str) -> Result<BTreeSet<i64>, StageError> {
    let name = file_name(&source(object, Timestamp::UNIX_EPOCH));
    let manifest = Manifest::read(objects, &Manifest::path(&name)).await?;
    let files = manifest.map(|manifest| manifest.files).unwrap_or_default();
    Ok(files.iter().filter_map(|file| hour_of_file("cleaned", file)).collect())
}

/// The raw object of these hours (of `raw/YYYY/MM/DD/HH/`, since 1970) whose line the record with this id became: the first one
/// that was written at `since` or later. `on_object` is told of each that is read.
///
/// # Errors
/// [`StageError`] where the lake cannot be read. A damaged object is in the log, and left out.
pub async fn line_by_id(
    objects: &Objects,
    hours: RangeInclusive<i64>,
    since: Timestamp,
    id: &str,
    mut on_object: impl FnMut(&str),
) -> Result<Option<LinePlace>, StageError> {
    for hour in hours {
        let Ok(time) = Timestamp::from_second(hour * HOUR) else { continue };
        let folder = format!("{RAW}/{}", time.strftime("%Y/%m/%d/%H"));
        for (name, listed) in objects.list(&folder).await? {
            // Times of objects may be whole seconds.
            if listed.written.as_second() < since.as_second() {
                continue;
            }
            let path = format!("{folder}/{name}");
            on_object(&path);
            let object = match objects.get(&path).await {
                Err(GetError::Missing { .. }) => continue,
                object => object?,
            };
            let id = id.to_owned();
            let searched = tokio::task::spawn_blocking(move || find_line(object.reader, &id)).await;
            match searched.map_err(|error| StageError::Local(error.to_string()))? {
                Ok(Some(line)) => return Ok(Some(LinePlace { object: path, written: listed.written, line })),
                Ok(None) => {}
                Err(error) => tracing::error!(object = path, %error, "an object that cannot be read is left out"),
            }
        }
    }
    Ok(None)
}

/// When an object was written; `None` where there is none.
///
/// # Errors
/// [`StageError`] where the lake cannot be read.
pub async fn written(objects: &Objects, path: &str) -> Result<Option<Timestamp>, StageError> {
    match objects.get(path).await {
        Ok(object) => Ok(Some(object.written)),
        Err(GetError::Missing { .. } | GetError::Name { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
