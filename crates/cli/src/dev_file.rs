//! `dev.json`: the addresses of a running `millrace dev`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// File name in the data directory.
pub(crate) const NAME: &str = "dev.json";

/// The file that a running `millrace dev` holds locked: unlike a process id, a lock ends with its process.
const LOCK: &str = "dev.lock";

/// The content of `dev.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DevFile {
    /// The URL of its edge.
    pub(crate) http: String,
    /// The bootstrap address of its broker.
    pub(crate) kafka: String,
    /// The URL of its database, without a password.
    pub(crate) database: String,
    /// Its process id.
    pub(crate) pid: i32,
}

/// Why `dev.json` cannot be used.
#[derive(Debug, Error)]
pub(crate) enum DevFileError {
    /// No `millrace dev` uses this data directory.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// The file cannot be read or parsed.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The process that wrote it ended without removing it.
    #[error("{} was left behind by a millrace dev that no longer runs (pid {pid})", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// The process that ended.
        pid: i32,
    },
}

impl DevFile {
    /// Reads the file in `data_dir`; [`DevFileError::Stale`] when its process no longer runs.
    pub(crate) fn read(data_dir: &Path) -> Result<Self, DevFileError> {
        let path = data_dir.join(NAME);
        let unreadable = |path: PathBuf, reason: String| DevFileError::Unreadable { path, reason };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(DevFileError::Missing(path)),
            Err(error) => return Err(unreadable(path, error.to_string())),
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(file) if is_locked(data_dir) => Ok(file),
            Ok(file) => Err(DevFileError::Stale { path, pid: file.pid }),
            Err(error) => Err(unreadable(path, error.to_string())),
        }
    }
}

impl DevFile {
    /// Writes the file into `data_dir` atomically (write, then rename).
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<PathBuf> {
        let path = data_dir.join(NAME);
        let draft = data_dir.join(format!("{NAME}.{}", self.pid));
        fs::write(&draft, serde_json::to_vec(self)?)?;
        fs::rename(&draft, &path)?;
        Ok(path)
    }
}

/// Locks the data directory for as long as the file is open; `None` if another process holds it.
pub(crate) fn lock(data_dir: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(data_dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a process holds the exclusive lock. The check takes a shared lock, so that concurrent checks do not
/// conflict.
fn is_locked(data_dir: &Path) -> bool {
    let file = File::open(data_dir.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        r#"{"http": "http://127.0.0.1:8080", "kafka": "127.0.0.1:9092", "database": "sqlite:///m.db", "pid": 4711}"#;

    fn written(text: &str) -> Result<DevFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let _held = lock(folder.path()).unwrap().expect("the lock is free");
        fs::write(folder.path().join(NAME), text).unwrap();
        DevFile::read(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_of_a_running_process_names_its_broker() {
        assert_eq!(written(FILE).unwrap().kafka, "127.0.0.1:9092");
    }

    /// Another process may have the pid by now: the lock decides.
    #[test]
    fn a_stale_file_is_reported_with_its_pid() {
        let folder = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        fs::write(folder.path().join(NAME), FILE.replace("4711", &pid.to_string())).unwrap();
        drop(lock(folder.path()).unwrap());
        let error = DevFile::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("no longer runs (pid {pid})")), "{error}");
    }

    #[test]
    fn one_process_at_a_time_has_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(first.is_some() && lock(folder.path()).unwrap().is_none());
        drop(first);
        assert!(lock(folder.path()).unwrap().is_some());
    }

    #[test]
    fn a_malformed_file_is_unreadable() {
        for text in [
            "",
            "{}",
            r#"{"http": "http://127.0.0.1:8080", "kafka": "127.0.0.1:9092", "database": "sqlite:///m.db", "pid": "1"}"#,
        ] {
            assert!(written(text).unwrap_err().contains("dev.json cannot be read"), "{text}");
        }
    }
}
