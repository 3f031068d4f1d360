//! Kafka's jars, fetched once by Maven into a cache folder of the user.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Error, KAFKA_VERSION};
use crate::supervise::Supervised;

/// The broker, and the logging binding of Kafka's own distribution, without which it logs nothing.
const POM: &str = include_str!("pom.xml");

/// The first fetch is about 45 MB.
const FETCH_TIMEOUT: Duration = Duration::from_mins(10);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The class path of the jars, which are fetched into `cache` (default: see [`default_cache`]) if they are missing.
/// Concurrent processes wait for the one that fetches.
pub(super) fn class_path(cache: Option<&Path>) -> Result<OsString, Error> {
    let cache = match cache {
        Some(cache) => cache.to_owned(),
        None => default_cache(|name| env::var_os(name)).ok_or(Error::NoCacheFolder)?,
    };
    let folder = cache.join(format!("kafka-{KAFKA_VERSION}"));
    if !folder.is_dir() {
        fetch(&cache, &folder)?;
    }
    Ok(folder.join("*").into_os_string())
}

/// `$MILLRACE_CACHE_DIR`, else `$XDG_CACHE_HOME/millrace`, else `$HOME/.cache/millrace`.
fn default_cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("MILLRACE_CACHE_DIR")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("millrace")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache").join("millrace")))
}

/// Fetches into a temporary folder and renames it: the folder is complete or missing.
fn fetch(cache: &Path, folder: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + FETCH_TIMEOUT;
    fs::create_dir_all(cache).map_err(Error::io(format!("cannot create the cache folder {}", cache.display())))?;
    let lock_path = cache.join(format!("kafka-{KAFKA_VERSION}.lock"));
    let lock = File::create(&lock_path).map_err(Error::io(format!("cannot write {}", lock_path.display())))?;
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::WouldBlock if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            TryLockError::WouldBlock => return Err(timed_out(folder)),
            TryLockError::Error(source) => {
                return Err(Error::io(format!("cannot lock {}", lock_path.display()))(source));
            }
        }
    }
    if folder.is_dir() {
        return Ok(());
    }
    tracing::info!(folder = %folder.display(), "fetching the jars of Apache Kafka {KAFKA_VERSION} with Maven");
    let partial = tempfile::Builder::new()
        .prefix("partial-")
        .tempdir_in(cache)
        .map_err(Error::io(format!("cannot create a folder in {}", cache.display())))?;
    let jars = partial.path().join("jars");
    copy_dependencies(partial.path(), &jars, deadline, folder)?;
    fs::rename(&jars, folder).map_err(Error::io(format!("cannot move the jars to {}", folder.display())))
}

fn copy_dependencies(work: &Path, jars: &Path, deadline: Instant, folder: &Path) -> Result<(), Error> {
    let pom = work.join("pom.xml");
    fs::write(&pom, POM).map_err(Error::io(format!("cannot write {}", pom.display())))?;
    let log_path = work.join("maven.log");
    let log = File::create(&log_path).map_err(Error::io(format!("cannot write {}", log_path.display())))?;

    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-Dkafka.version={KAFKA_VERSION}"))
        .arg({
            let mut output = OsString::from("-DoutputDirectory=");
            output.push(jars);
            output
        });
    let mut maven = Supervised::spawn(&maven, log, None).map_err(Error::io("cannot start mvn"))?;
    let status = loop {
        if let Some(status) = maven.exited().map_err(Error::io("cannot wait for mvn"))? {
            break status;
        }
        if Instant::now() >= deadline {
            return Err(timed_out(folder));
        }
        thread::sleep(POLL_INTERVAL);
    };
    if status.success() {
        return Ok(());
    }
    if status.code() == Some(super::NO_SUCH_PROGRAM) {
        return Err(Error::ProgramMissing { program: "mvn".to_owned(), install: "Apache Maven" });
    }
    Err(Error::Jars { status, output: super::log::tail(&log_path) })
}

fn timed_out(folder: &Path) -> Error {
    Error::JarsTimeout { timeout: FETCH_TIMEOUT, folder: folder.to_owned() }
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
        let folder = cache.path().join(format!("kafka-{KAFKA_VERSION}"));
        fs::create_dir(&folder).unwrap();
        assert_eq!(class_path(Some(cache.path())).unwrap(), folder.join("*").into_os_string());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "nothing else was written");
    }
}
