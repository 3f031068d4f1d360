//! Jars of a server written in Java, fetched once by Maven into a cache folder of the user.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use crate::log;
use crate::supervise::{NO_SUCH_PROGRAM, Supervised};

/// The first fetch is about 45 MB.
const FETCH_TIMEOUT: Duration = Duration::from_mins(10);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The jars of a server.
#[derive(Debug, Clone, Copy)]
pub struct Jars {
    /// The server, as people call it.
    pub server: &'static str,
    /// Its name in the cache folder.
    pub name: &'static str,
    /// Its version: the property `server.version` of the POM.
    pub version: &'static str,
    /// The POM (Maven's project file) that names the jars as its dependencies.
    pub pom: &'static str,
}

/// Why there are no jars. All of these need a person.
#[derive(Debug, thiserror::Error)]
pub enum JarsError {
    /// `mvn` was not found.
    #[error("`mvn`, which fetches the jars of {server}, was not found: install Apache Maven")]
    MavenMissing {
        /// The server.
        server: &'static str,
    },
    /// Maven could not fetch them.
    #[error("Maven could not fetch the jars of {server} ({status}):\n{output}")]
    Maven {
        /// The server.
        server: &'static str,
        /// The exit status of Maven.
        status: ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// Maven, in this or another process, did not fetch them in time.
    #[error("the jars of {server} were not fetched within {timeout:?} (into {})", folder.display())]
    Timeout {
        /// The server.
        server: &'static str,
        /// The time-out.
        timeout: Duration,
        /// The cache folder.
        folder: PathBuf,
    },
    /// No folder to keep them in.
    #[error("no folder to keep jars in: set MILLRACE_CACHE_DIR, XDG_CACHE_HOME or HOME")]
    NoCacheFolder,
    /// An operation on a file or process failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with its path.
        what: String,
        /// The operating system's reason.
        source: io::Error,
    },
}

impl JarsError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// The `java` of `JAVA_HOME`, else of `PATH`.
pub fn java() -> PathBuf {
    match env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("bin").join("java"),
        None => PathBuf::from("java"),
    }
}

impl Jars {
    /// The class path of the jars, which are fetched into `cache` (default: `$MILLRACE_CACHE_DIR`, else
    /// `$XDG_CACHE_HOME/millrace`, else `$HOME/.cache/millrace`) if they are missing. Concurrent processes wait for the one
    /// that fetches.
    ///
    /// # Errors
    /// [`JarsError`]
    pub fn class_path(&self, cache: Option<&Path>) -> Result<OsString, JarsError> {
        let cache = match cache {
            Some(cache) => cache.to_owned(),
            None => default_cache(|name| env::var_os(name)).ok_or(JarsError::NoCacheFolder)?,
        };
        let folder = cache.join(self.folder());
        if !folder.is_dir() {
            self.fetch(&cache, &folder)?;
        }
        Ok(folder.join("*").into_os_string())
    }

    fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// Fetches into a temporary folder and renames it: the folder is complete or missing.
    fn fetch(&self, cache: &Path, folder: &Path) -> Result<(), JarsError> {
        let deadline = Instant::now() + FETCH_TIMEOUT;
        fs::create_dir_all(cache)
            .map_err(JarsError::io(format!("cannot create the cache folder {}", cache.display())))?;
        let lock_path = cache.join(format!("{}.lock", self.folder()));
        let lock = File::create(&lock_path).map_err(JarsError::io(format!("cannot write {}", lock_path.display())))?;
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::WouldBlock if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
                TryLockError::WouldBlock => return Err(self.timed_out(folder)),
                TryLockError::Error(source) => {
                    return Err(JarsError::io(format!("cannot lock {}", lock_path.display()))(source));
                }
            }
        }
        if folder.is_dir() {
            return Ok(());
        }
        let Self { server, version, .. } = self;
        tracing::info!(folder = %folder.display(), "fetching the jars of {server} {version} with Maven");
        let partial = tempfile::Builder::new()
            .prefix("partial-")
            .tempdir_in(cache)
            .map_err(JarsError::io(format!("cannot create a folder in {}", cache.display())))?;
        let jars = partial.path().join("jars");
        self.copy_dependencies(partial.path(), &jars, deadline, folder)?;
        fs::rename(&jars, folder).map_err(JarsError::io(format!("cannot move the jars to {}", folder.display())))
    }

    fn copy_dependencies(&self, work: &Path, jars: &Path, deadline: Instant, folder: &Path) -> Result<(), JarsError> {
        let pom = work.join("pom.xml");
        fs::write(&pom, self.pom).map_err(JarsError::io(format!("cannot write {}", pom.display())))?;
        let log_path = work.join("maven.log");
        let log = File::create(&log_path).map_err(JarsError::io(format!("cannot write {}", log_path.display())))?;

        let mut maven = Command::new("mvn");
        maven
            .args(["--quiet", "--batch-mode", "--file"])
            .arg(&pom)
            .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
            .arg(format!("-Dserver.version={}", self.version))
            .arg({
                let mut output = OsString::from("-DoutputDirectory=");
                output.push(jars);
                output
            });
        let mut maven = Supervised::spawn(&maven, log, None).map_err(JarsError::io("cannot start mvn"))?;
        let status = loop {
            if let Some(status) = maven.exited().map_err(JarsError::io("cannot wait for mvn"))? {
                break status;
            }
            if Instant::now() >= deadline {
                return Err(self.timed_out(folder));
            }
            thread::sleep(POLL_INTERVAL);
        };
        let server = self.server;
        if status.success() {
            return Ok(());
        }
        if status.code() == Some(NO_SUCH_PROGRAM) {
            return Err(JarsError::MavenMissing { server });
        }
        Err(JarsError::Maven { server, status, output: log::tail(&log_path) })
    }

    fn timed_out(&self, folder: &Path) -> JarsError {
        JarsError::Timeout { server: self.server, timeout: FETCH_TIMEOUT, folder: folder.to_owned() }
    }
}

/// `$MILLRACE_CACHE_DIR`, else `$XDG_CACHE_HOME/millrace`, else `$HOME/.cache/millrace`.
fn default_cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("MILLRACE_CACHE_DIR")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("millrace")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache").join("millrace")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_with(variables: &[(&str, &str)]) -> Option<PathBuf> {
        default_cache(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_cache_folder_is_the_first_one_that_is_set() {
        let [own, desktop, home] = [("MILLRACE_CACHE_DIR", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/ann")];
        assert_eq!(cache_with(&[own, desktop, home]), Some("/own".into()));
        assert_eq!(cache_with(&[desktop, home]), Some("/xdg/millrace".into()));
        assert_eq!(cache_with(&[home]), Some("/home/ann/.cache/millrace".into()));
        assert_eq!(cache_with(&[]), None);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(cache_with(&[("MILLRACE_CACHE_DIR", ""), ("XDG_CACHE_HOME", "/xdg")]), Some("/xdg/millrace".into()));
    }

    #[test]
    fn cached_jars_are_used_without_maven() {
        let cache = tempfile::tempdir().unwrap();
        let jars = Jars { server: "Apache Kafka", name: "kafka", version: "1", pom: "" };
        let folder = cache.path().join("kafka-1");
        fs::create_dir(&folder).unwrap();
        assert_eq!(jars.class_path(Some(cache.path())).unwrap(), folder.join("*").into_os_string());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "nothing else was written");
    }
}
