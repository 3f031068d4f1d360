//! The lake as a local folder.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::parquet::{Files, OutputFile};

/// Start of the names of files that are being written.
const UNFINISHED: &str = ".writing-";

/// An unfinished file that was not written to for so long is a killed run's.
const LEFT_BEHIND_AFTER: Duration = Duration::from_hours(24);

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

impl Folder {
    /// Removes files of the same names as these that are not among them: an earlier run of a source may have put rows into
    /// other hours, such as those without a time of their own. What a killed run left unfinished goes, too.
    ///
    /// # Errors
    ///
    /// Where a folder cannot be listed or a file not removed.
    pub fn remove_replaced(&self, paths: &[String]) -> io::Result<()> {
        let written: HashSet<&str> = paths.iter().map(String::as_str).collect();
        let names: HashSet<&str> = paths.iter().filter_map(|path| source_part(path)).collect();
        for day in folders(&self.root.join("cleaned"))? {
            for hour in folders(&day)? {
                for entry in fs::read_dir(&hour).map_err(|error| named(&hour, &error))? {
                    let path = entry?.path();
                    if is_left_behind(&path) {
                        // Another run may remove it at the same time.
                        let _ = fs::remove_file(&path);
                        continue;
                    }
                    let Some(relative) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else { continue };
                    if source_part(relative).is_some_and(|name| names.contains(name)) && !written.contains(relative) {
                        fs::remove_file(&path).map_err(|error| named(&path, &error))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a file is one that nobody has written to for long.
fn is_left_behind(path: &Path) -> bool {
    let is_unfinished =
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(UNFINISHED));
    let age = || fs::metadata(path).and_then(|file| file.modified()).ok()?.elapsed().ok();
    is_unfinished && age().is_some_and(|age| age > LEFT_BEHIND_AFTER)
}

/// What of a file's path names its source: `NAME` in `NAME-PART.parquet`.
fn source_part(path: &str) -> Option<&str> {
    let (name, part) = path.rsplit('/').next()?.strip_suffix(".parquet")?.rsplit_once('-')?;
    part.bytes().all(|digit| digit.is_ascii_digit()).then_some(name)
}

/// The folders in a folder; none where there is no such folder.
///
/// # Errors
///
/// Where it cannot be read; the error names it.
pub fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.path()))
            .filter(|path| path.as_ref().map_or(true, |path| path.is_dir()))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(named(folder, &error)),
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
            tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).map_err(|error| named(folder, &error))?;
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
