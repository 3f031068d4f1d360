//! Folders and files of this machine in which a stage works.

use std::fs::File;
use std::io;
use std::path::Path;

use millrace_objects::Object;
use tempfile::TempDir;

use crate::error::StageError;

/// The beginning of the names of folders in which files are made; the process's number follows.
const FOLDER_PREFIX: &str = "millrace-stage-";

/// Removes the folders of processes that are no more, such as that of an invocation that timed out, in whose place Lambda starts another
/// one with the same files.
pub fn remove_left_behind() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)?.split_once('-'));
        let Some(process) = process.and_then(|(process, _)| process.parse::<u32>().ok()) else { continue };
        // This one has made none yet: one of its number was an earlier one's.
        let is_gone = process == std::process::id() || !Path::new("/proc").join(process.to_string()).exists();
        if is_gone {
            // What cannot be removed takes space, and is no reason not to work.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder that is removed when it is dropped.
pub(crate) fn folder() -> Result<TempDir, StageError> {
    let prefix = format!("{FOLDER_PREFIX}{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir().map_err(|error| StageError::Local(error.to_string()))
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
