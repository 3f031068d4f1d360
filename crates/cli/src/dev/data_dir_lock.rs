//! The data directory of a running `millrace dev`: one process at a time, and a file that says where it is.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use millrace_host::exit::SettingError;
use millrace_host::settings::Origins;
use tokio::time::Instant;

use crate::dev_file::{self, DevFile};

/// The data directory, while this process has it to itself.
pub(super) struct DataDirLock {
    data_dir: PathBuf,
    _lock: File,
}

/// `dev.json` while it is there; it goes away with this.
pub(super) struct ReadyFile(PathBuf);

/// Commands that only look lock the file for an instant too.
const ENQUEUE_TIMEOUT: Duration = Duration::from_millis(500);

impl DataDirLock {
    /// Sees to it that no other process uses the data directory, and removes what one that was killed left behind.
    pub(super) async fn of(data_dir: &Path, origins: &Origins) -> Result<Self, SettingError> {
        let wrong = |problem: String| SettingError::new(origins.name("data-dir"), problem);
        let shown = data_dir.display();
        std::fs::create_dir_all(data_dir).map_err(|error| wrong(format!("cannot make the folder {shown}: {error}")))?;
        let cannot_use = |error: io::Error| wrong(format!("cannot use the folder {shown}: {error}"));
        let give_up = Instant::now() + ENQUEUE_TIMEOUT;
        let lock = loop {
            match dev_file::lock(data_dir).map_err(cannot_use)? {
                Some(lock) => break lock,
                None if Instant::now() < give_up => tokio::time::sleep(ENQUEUE_TIMEOUT / 20).await,
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
    /// Says where this process is to be found.
    pub(super) fn announce(claim: &DataDirLock, http: SocketAddr, kafka: &str, database: &str) -> anyhow::Result<Self> {
        let pid = i32::try_from(std::process::id()).context("this process's id")?;
        let file =
            DevFile { http: format!("http://{http}"), kafka: kafka.to_owned(), database: database.to_owned(), pid };
        file.write(&claim.data_dir).map(Self).with_context(|| format!("writing into {}", claim.data_dir.display()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "the file stays behind");
        }
    }
}
