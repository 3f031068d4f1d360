//! `dev.json`: where a running `millrace dev` is found.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The file's name in the data directory.
pub(crate) const NAME: &str = "dev.json";

/// What `millrace dev` writes down about itself while it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DevFile {
    /// The URL of its edge.
    pub(crate) http: String,
    /// The bootstrap address of its broker.
    pub(crate) kafka: String,
    /// Its process id.
    pub(crate) pid: i32,
}

/// Why there is nothing to be learned from the file.
#[derive(Debug, Error)]
pub(crate) enum DevFileError {
    /// No `millrace dev` uses this data directory.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// The file is there and cannot be used.
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
        /// The process that is gone.
        pid: i32,
    },
}

impl DevFile {
    /// Reads the file in `data_dir`, and makes sure that its writer still runs.
    pub(crate) fn read(data_dir: &Path) -> Result<Self, DevFileError> {
        let path = data_dir.join(NAME);
        let unreadable = |path: PathBuf, reason: String| DevFileError::Unreadable { path, reason };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(DevFileError::Missing(path)),
            Err(error) => return Err(unreadable(path, error.to_string())),
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(file) if is_running(file.pid) => Ok(file),
            Ok(file) => Err(DevFileError::Stale { path, pid: file.pid }),
            Err(error) => Err(unreadable(path, error.to_string())),
        }
    }
}

impl DevFile {
    /// Writes the file into `data_dir`, whole or not at all: whoever finds it can read it.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<PathBuf> {
        let path = data_dir.join(NAME);
        let draft = data_dir.join(format!("{NAME}.{}", self.pid));
        fs::write(&draft, serde_json::to_vec(self)?)?;
        fs::rename(&draft, &path)?;
        Ok(path)
    }
}

fn is_running(pid: i32) -> bool {
    // A process of another user's refuses the signal, and so is there.
    let gone = |pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
    pid > 0 && Pid::from_raw(pid).is_some_and(|pid| !gone(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<DevFile, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), text).unwrap();
        DevFile::read(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_of_a_running_process_says_where_the_broker_is() {
        let pid = std::process::id();
        let text = format!(r#"{{"http": "http://127.0.0.1:8080", "kafka": "127.0.0.1:9092", "pid": {pid}}}"#);
        assert_eq!(written(&text).unwrap().kafka, "127.0.0.1:9092");
    }

    #[test]
    fn a_file_left_behind_is_told_with_its_pid() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        let error =
            written(&format!(r#"{{"http": "http://127.0.0.1:8080", "kafka": "127.0.0.1:9092", "pid": {pid}}}"#))
                .unwrap_err();
        assert!(error.contains(&format!("no longer runs (pid {pid})")), "{error}");
    }

    #[test]
    fn a_file_that_is_no_such_file_is_unreadable() {
        for text in ["", "{}", r#"{"http": "http://127.0.0.1:8080", "kafka": "127.0.0.1:9092", "pid": "1"}"#] {
            assert!(written(text).unwrap_err().contains("dev.json cannot be read"), "{text}");
        }
    }
}
