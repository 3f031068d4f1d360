//! Folders and files of this machine in which a stage works.

use std::fs::File;
use std::io;

use millrace_objects::Object;
use tempfile::TempDir;

use crate::error::StageError;

/// The beginning of the names of folders in which files are made.
const FOLDER_PREFIX: &str = "millrace-stage-";

/// Removes the folders of runs that were cut off in the middle, such as those of an invocation that timed out. Only where
/// no other process of this machine runs stages.
pub fn remove_left_behind() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX) {
            // What cannot be removed takes space, and is no reason not to work.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder that is removed when it is dropped.
pub(crate) fn folder() -> Result<TempDir, StageError> {
    tempfile::Builder::new().prefix(FOLDER_PREFIX).tempdir().map_err(|error| StageError::Local(error.to_string()))
}

/// Copies an object into a file, which Parquet's readers want.
pub(crate) async fn copied(
    object: Object,
    path: &str,
    file: impl FnOnce() -> io::Result<File> + Send + 'static,
) -> Result<File, StageError> {
    let mut reader = object.reader;
    let name = path.to_owned();
    let copied = tokio::task::spawn_blocking(move || {
        let copied = file().and_then(|mut file| io::copy(&mut reader, &mut file).map(|_| file));
        copied.map_err(|error| {
            let text = format!("{name}: {error}");
            if reader.has_failed() { StageError::S3Unavailable(text) } else { StageError::Local(text) }
        })
    });
    copied.await.map_err(|error| StageError::Local(error.to_string()))?
}
