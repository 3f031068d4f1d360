//! Kafka's jars, fetched by Maven once and kept in a cache folder for all projects of the user.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Error, KAFKA_VERSION};
use crate::supervise::Supervised;

/// The broker, and the binding without which its log would go nowhere (the one Kafka's own distribution has).
const POM: &str = include_str!("pom.xml");

/// A first fetch is about 45 MB.
const FETCH_BOUND: Duration = Duration::from_mins(10);

const POLL: Duration = Duration::from_millis(50);

/// The class path of all the jars, which are fetched into `cache` (default: see [`default_cache`]) if they are not
/// there. Processes that do so at once wait for one of them.
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

/// The folder appears whole, by a rename, or not at all.
fn fetch(cache: &Path, folder: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + FETCH_BOUND;
    fs::create_dir_all(cache).map_err(Error::io(format!("cannot make the cache folder {}", cache.display())))?;
    let lock_path = cache.join(format!("kafka-{KAFKA_VERSION}.lock"));
    let lock = File::create(&lock_path).map_err(Error::io(format!("cannot write {}", lock_path.display())))?;
    while let Err(refusal) = lock.try_lock() {
        match refusal {
            TryLockError::WouldBlock if Instant::now() < deadline => thread::sleep(POLL),
            TryLockError::WouldBlock => return Err(late(folder)),
            TryLockError::Error(error) => return Err(Error::io(format!("cannot lock {}", lock_path.display()))(error)),
        }
    }
    if folder.is_dir() {
        return Ok(());
    }
    tracing::info!(folder = %folder.display(), "fetching the jars of Apache Kafka {KAFKA_VERSION} with Maven, once");
    let partial = tempfile::Builder::new()
        .prefix("partial-")
        .tempdir_in(cache)
        .map_err(Error::io(format!("cannot make a folder in {}", cache.display())))?;
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
            return Err(late(folder));
        }
        thread::sleep(POLL);
    };
    if status.success() {
        return Ok(());
    }
    if status.code() == Some(super::NO_SUCH_PROGRAM) {
        return Err(Error::ProgramMissing { program: "mvn".to_owned(), install: "Apache Maven" });
    }
    Err(Error::Jars { status, output: super::log::tail(&log_path) })
}

fn late(folder: &Path) -> Error {
    Error::JarsLate { bound: FETCH_BOUND, folder: folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_with(variables: &[(&str, &str)]) -> Option<PathBuf> {
        default_cache(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_cache_folder_is_the_users_choice_before_the_desktops_before_the_homes() {
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
    fn jars_that_are_there_are_used_without_maven() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join(format!("kafka-{KAFKA_VERSION}"));
        fs::create_dir(&folder).unwrap();
        assert_eq!(class_path(Some(cache.path())).unwrap(), folder.join("*").into_os_string());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "nothing else was written");
    }
}
