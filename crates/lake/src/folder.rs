//! The lake as a local folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::parquet::{Files, OutputFile};

/// A lake in a folder. A file appears whole: it is written beside its place and renamed.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The lake under this folder, which is made when its first file is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

struct LocalFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl Files for Folder {
    fn create(&mut self, path: &str) -> io::Result<Box<dyn OutputFile>> {
        let path = self.root.join(path);
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
        // Readers of tables pass over names that begin with a dot.
        let file =
            tempfile::Builder::new().prefix(".writing-").tempfile_in(folder).map_err(|error| named(folder, &error))?;
        Ok(Box::new(LocalFile { file, path }))
    }
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl OutputFile for LocalFile {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let file = self.file.persist(&self.path).map_err(|error| named(&self.path, &error.error))?;
        // A temporary file is its owner's alone; a lake is read by others.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        drop(file);
        Ok(())
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
