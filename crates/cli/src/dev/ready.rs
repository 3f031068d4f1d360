//! The data directory of a running `millrace dev`: one process at a time, and a file that says where it is.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::dev_file::DevFile;

/// `dev.json` while it is there; it goes away with this.
pub(super) struct ReadyFile(PathBuf);

/// Sees to it that no other process uses the data directory.
pub(super) fn claim(data_dir: &Path) -> anyhow::Result<()> {
    if let Ok(running) = DevFile::read(data_dir) {
        bail!("millrace dev runs already with the data directory {} (pid {})", data_dir.display(), running.pid);
    }
    Ok(())
}

impl ReadyFile {
    /// Says where this process is to be found.
    pub(super) fn announce(data_dir: &Path, http: SocketAddr, kafka: &str) -> anyhow::Result<Self> {
        let pid = i32::try_from(std::process::id()).context("this process's id")?;
        let file = DevFile { http: format!("http://{http}"), kafka: kafka.to_owned(), pid };
        file.write(data_dir).map(Self).with_context(|| format!("writing into {}", data_dir.display()))
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
