//! `<data-dir>/dev.json`: where a running `millrace dev` is to be found.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::discovery::DevFile;

/// The file; it goes away with this.
pub(super) struct ReadyFile {
    path: PathBuf,
    announced: std::cell::Cell<bool>,
}

impl ReadyFile {
    /// Sees to it that no other process uses the data directory.
    pub(super) fn claim(data_dir: &Path) -> anyhow::Result<Self> {
        if let Some(running) = DevFile::read(data_dir)?.filter(DevFile::is_alive) {
            bail!("millrace dev runs already with the data directory {} (pid {})", data_dir.display(), running.pid);
        }
        Ok(Self { path: DevFile::path(data_dir), announced: false.into() })
    }

    /// Writes the file, whole or not at all.
    pub(super) fn announce(&self, http: SocketAddr, kafka: &str) -> anyhow::Result<()> {
        let file = DevFile { http: format!("http://{http}"), kafka: kafka.to_owned(), pid: std::process::id() };
        let text = serde_json::to_string(&file).context("describing this process")?;
        let draft = self.path.with_extension(format!("json.{}", file.pid));
        std::fs::write(&draft, text)
            .and_then(|()| std::fs::rename(&draft, &self.path))
            .with_context(|| format!("writing {}", self.path.display()))?;
        self.announced.set(true);
        Ok(())
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if self.announced.get()
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "the file stays behind");
        }
    }
}
