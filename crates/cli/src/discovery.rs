//! Broker discovery: `--kafka`, else `KAFKA_BOOTSTRAP_SERVERS`, else the `millrace dev` of the data directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use millrace_host::exit::SettingError;
use millrace_host::settings::bootstrap_servers;
use millrace_kafka::KafkaSettings;
use millrace_kafka::settings::Security;

use crate::dev_file::{DevFile, DevFileError};

/// Default data directory.
pub(crate) const DATA_DIR: &str = ".millrace";

/// How often to check that `millrace dev` still runs.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The settings of every command that needs a broker.
#[derive(Debug, Clone, Args)]
pub(crate) struct BrokerArgs {
    /// The broker [default: that of the millrace dev which uses the data directory]
    #[arg(long, value_name = "HOST:PORT,…", value_parser = bootstrap_servers)]
    pub(crate) kafka: Option<String>,
    /// Data directory of a running millrace dev
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) security: Security,
}

impl BrokerArgs {
    /// Client settings of the broker.
    ///
    /// Fails when none is given and no `millrace dev` runs; the error names the three ways to set it.
    pub(crate) fn settings(&self) -> Result<KafkaSettings, SettingError> {
        let bootstrap_servers = match &self.kafka {
            Some(servers) => servers.clone(),
            None => DevFile::read(&self.data_dir).map_err(|error| self.not_found(&error))?.kafka,
        };
        Ok(KafkaSettings { security: self.security.clone(), ..KafkaSettings::plaintext(bootstrap_servers) })
    }

    /// Resolves when the `millrace dev` with the broker `found` has ended; never when the broker was given.
    pub(crate) async fn dev_gone(&self, found: &KafkaSettings) {
        if self.kafka.is_some() {
            return std::future::pending().await;
        }
        loop {
            match DevFile::read(&self.data_dir) {
                Ok(dev) if dev.kafka == found.bootstrap_servers => {}
                // Unknown: treated as running.
                Err(DevFileError::Unreadable { .. }) => {}
                Ok(_) | Err(DevFileError::Missing(_) | DevFileError::Stale { .. }) => return,
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn not_found(&self, error: &DevFileError) -> SettingError {
        let ways = "name it with --kafka HOST:PORT or KAFKA_BOOTSTRAP_SERVERS, or start millrace dev (with the same \
                    --data-dir)";
        // A given data directory selects its dev.
        let flag = if self.data_dir == Path::new(DATA_DIR) { "kafka" } else { "data-dir" };
        SettingError::of_flag(flag, format!("no broker given: {error}; {ways}"))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn args(kafka: Option<&str>, data_dir: &std::path::Path) -> BrokerArgs {
        BrokerArgs { kafka: kafka.map(str::to_owned), data_dir: data_dir.to_owned(), security: Security::default() }
    }

    #[test]
    fn a_named_broker_wins_over_a_running_dev() {
        let folder = tempfile::tempdir().unwrap();
        let _running = crate::dev_file::lock(folder.path()).unwrap().expect("the lock is free");
        let dev = DevFile { http: String::new(), kafka: "127.0.0.1:1111".to_owned(), database: String::new(), pid: 1 };
        dev.write(folder.path()).unwrap();
        let found = |kafka| args(kafka, folder.path()).settings().unwrap().bootstrap_servers;
        assert_eq!(found(Some("broker:9092")), "broker:9092");
        assert_eq!(found(None), "127.0.0.1:1111");
    }

    /// A given broker is never gone.
    #[tokio::test]
    async fn a_dev_without_its_file_or_lock_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let running = crate::dev_file::lock(folder.path()).unwrap().expect("the lock is free");
        let dev = DevFile { http: String::new(), kafka: "127.0.0.1:1111".to_owned(), database: String::new(), pid: 1 };
        dev.write(folder.path()).unwrap();
        let (found, named) = (args(None, folder.path()), args(Some("127.0.0.1:1111"), folder.path()));
        let settings = found.settings().unwrap();
        // The first check is immediate.
        let is_gone = |args: &BrokerArgs| args.dev_gone(&settings).now_or_never().is_some();
        assert!(!is_gone(&found));
        drop(running);
        assert!(is_gone(&found));
        assert!(!is_gone(&named));
    }

    #[test]
    fn without_a_broker_the_error_names_the_three_ways_to_set_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = args(None, folder.path()).settings().unwrap_err().to_string();
        for way in ["--kafka HOST:PORT", "KAFKA_BOOTSTRAP_SERVERS", "millrace dev", "dev.json"] {
            assert!(error.contains(way), "no {way} in: {error}");
        }
    }
}
