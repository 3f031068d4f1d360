//! A broker's folder: settings files, and the log directory, which is formatted once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::jvm::Jvm;
use super::{Error, settings};
use crate::supervise::Supervised;

const SETTINGS: &str = "server.properties";
const LOG_SETTINGS: &str = "log4j2.properties";

/// The file that Kafka writes last when it formats a folder.
const FORMATTED: &str = "meta.properties";

/// The broker's log, as in `log4j2.properties`.
pub(super) const BROKER_LOG: &str = "broker.log";
/// The output of the JVM itself: a crash, an invalid flag.
pub(super) const JVM_OUTPUT: &str = "jvm.out";

/// Formatting is one JVM start and a few small files.
const FORMAT_TIMEOUT: Duration = Duration::from_mins(1);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The settings of the last run, if any.
pub(super) fn read_settings(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join(SETTINGS)).ok()
}

/// Writes a broker's settings and logging configuration.
pub(super) fn write_settings(folder: &Path, properties: &str) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(format!("cannot create the folder {}", folder.display())))?;
    for (name, text) in [(SETTINGS, properties), (LOG_SETTINGS, include_str!("log4j2.properties"))] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io(format!("cannot write {}", path.display())))?;
    }
    Ok(())
}

/// Checks the size of an existing cluster: its files fix the quorum.
pub(super) fn check_size(cluster: &Path, asked: usize) -> Result<(), Error> {
    let found = (1..=3).filter(|id| is_formatted(&cluster.join(format!("broker-{id}")))).count();
    if found > asked || (found == 1 && asked == 3) {
        return Err(Error::OtherSize { folder: cluster.to_owned(), found, asked });
    }
    Ok(())
}

/// Formats the folders that are not formatted, concurrently, with one cluster id.
pub(super) fn format(jvm: &Jvm, folders: &[PathBuf]) -> Result<(), Error> {
    let cluster_id = folders.iter().find_map(|folder| cluster_id(folder)).unwrap_or_else(new_cluster_id);
    let deadline = Instant::now() + FORMAT_TIMEOUT;
    let mut running = Vec::new();
    for (folder, id) in folders.iter().zip(1..) {
        if is_formatted(folder) {
            continue;
        }
        let output_path = folder.join(JVM_OUTPUT);
        let output =
            File::create(&output_path).map_err(Error::io(format!("cannot write {}", output_path.display())))?;
        let tool = Supervised::spawn(&jvm.format(folder, &cluster_id), output, None)
            .map_err(Error::io("cannot start a JVM"))?;
        running.push((id, tool, output_path));
    }
    for (id, mut tool, output) in running {
        let status = loop {
            if let Some(status) = tool.exited().map_err(Error::io("cannot wait for a JVM"))? {
                break status;
            }
            if Instant::now() >= deadline {
                break tool.kill().map_err(Error::io("cannot kill a JVM"))?;
            }
            thread::sleep(POLL_INTERVAL);
        };
        if !status.success() {
            return Err(jvm.exit_error(id, status, &output, None));
        }
    }
    Ok(())
}

fn is_formatted(folder: &Path) -> bool {
    folder.join(settings::PARTITIONS).join(FORMATTED).is_file()
}

fn cluster_id(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(settings::PARTITIONS).join(FORMATTED)).ok()?;
    text.lines().find_map(|line| line.strip_prefix("cluster.id=")).map(str::to_owned)
}

/// A new id in Kafka's form: 16 bytes in 22 characters of URL-safe base64.
fn new_cluster_id() -> String {
    URL_SAFE_NO_PAD.encode(Uuid::now_v7().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(cluster: &Path, id: i32) {
        let folder = cluster.join(format!("broker-{id}")).join(settings::PARTITIONS);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(FORMATTED), "version=1\ncluster.id=abc\n").unwrap();
    }

    #[test]
    fn a_cluster_of_another_size_is_refused() {
        let one = tempfile::tempdir().unwrap();
        formatted(one.path(), 1);
        assert!(check_size(one.path(), 1).is_ok());
        assert!(matches!(check_size(one.path(), 3), Err(Error::OtherSize { found: 1, asked: 3, .. })));

        let three = tempfile::tempdir().unwrap();
        (1..=3).for_each(|id| formatted(three.path(), id));
        assert!(check_size(three.path(), 3).is_ok());
        assert!(matches!(check_size(three.path(), 1), Err(Error::OtherSize { found: 3, asked: 1, .. })));
    }

    #[test]
    fn a_formatted_folder_knows_its_clusters_id() {
        let cluster = tempfile::tempdir().unwrap();
        formatted(cluster.path(), 1);
        assert_eq!(cluster_id(&cluster.path().join("broker-1")).as_deref(), Some("abc"));
    }

    #[test]
    fn a_new_cluster_id_has_kafkas_form() {
        let id = new_cluster_id();
        assert_eq!(id.len(), 22);
        assert_ne!(id, new_cluster_id());
    }
}
