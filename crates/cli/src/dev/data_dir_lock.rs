//! The data directory of a running `millrace dev`: an exclusive lock, and `dev.json` with its addresses.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use millrace_host::exit::SettingError;
use tokio::time::Instant;

use crate::dev_file::{self, DevFile};

/// Exclusive use of a data directory, until dropped.
pub(super) struct DataDirLock {
    data_dir: PathBuf,
    _lock: File,
}

/// `dev.json`; removed on drop.
pub(super) struct ReadyFile(PathBuf);

/// How long to wait for the lock: commands that read `dev.json` hold a shared lock for an instant.
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);

impl DataDirLock {
    /// Locks the data directory and removes the `dev.json` of a killed process.
    pub(super) async fn acquire(data_dir: &Path) -> Result<Self, SettingError> {
        let wrong = |problem: String| SettingError::of_flag("data-dir", problem);
        let shown = data_dir.display();
        std::fs::create_dir_all(data_dir)
            .map_err(|error| wrong(format!("cannot create the folder {shown}: {error}")))?;
        let cannot_use = |error: io::Error| wrong(format!("cannot use the folder {shown}: {error}"));
        let deadline = Instant::now() + LOCK_TIMEOUT;
        let lock = loop {
            match dev_file::lock(data_dir).map_err(cannot_use)? {
                Some(lock) => break lock,
                None if Instant::now() < deadline => tokio::time::sleep(LOCK_TIMEOUT / 20).await,
                None => {
                    let pid =
                        DevFile::read(data_dir).map_or_else(|_| String::new(), |dev| format!(" (pid {})", dev.pid));
                    return Err(wrong(format!("millrace dev runs already with the folder {shown}{pid}")));
                }
            }
        };
        match std::fs::remove_file(data_dir.join(dev_file::NAME)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot_use(error)),
            _ => Ok(Self { data_dir: data_dir.to_owned(), _lock: lock }),
        }
    }
}

impl ReadyFile {
    /// Writes `dev.json` with the addresses of this process.
    pub(super) fn announce(lock: &DataDirLock, http: SocketAddr, kafka: &str, database: &str) -> anyhow::Result<Self> {
        let pid = i32::try_from(std::process::id()).context("the process id is out of range")?;
        let file =
            DevFile { http: format!("http://{http}"), kafka: kafka.to_owned(), database: database.to_owned(), pid };
        file.write(&lock.data_dir).map(Self).with_context(|| format!("writing into {}", lock.data_dir.display()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "dev.json was not removed");
        }
    }
}
