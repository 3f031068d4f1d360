//! Writes the file of each insight.

use std::path::Path as FolderPath;
use std::time::Duration;

use metrics::Counter;
use millrace_consumer::{Attempt, Outcome, Processor};
use millrace_domain::insight;
use millrace_host::exit::SettingError;
use millrace_kafka::Record;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::destination::Destination;
use crate::settings::Settings;

/// The folder of the files at the destination.
const FOLDER: &str = "insights";

/// The counter of files.
const FILES_TOTAL: &str = "millrace_login_insights_files_total";

/// How long writing a file may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Writes the files of insights. The consumer runtime calls it for each record of `processed-data`.
///
/// A write is atomic, and its name is derived from the insight: writing again is idempotent.
#[derive(Debug)]
pub struct Files {
    store: Box<dyn ObjectStore>,
    folder: Path,
    written: Counter,
    failed: Counter,
    skipped: Counter,
}

impl Files {
    /// Files at the destination of the settings, or in `data_dir`. A missing folder is created.
    ///
    /// The metrics recorder must be installed before: handles are created here.
    ///
    /// # Errors
    /// [`SettingError`] names the setting and the problem.
    pub fn from_settings(settings: &Settings, data_dir: &FolderPath) -> Result<Self, SettingError> {
        let default = || Destination::Folder(data_dir.to_owned());
        let destination = settings.insights_to.clone().unwrap_or_else(default);
        let opened = destination.open().map_err(|error| SettingError::of_flag("insights-to", error.to_string()));
        let (store, prefix) = opened?;
        metrics::describe_counter!(
            FILES_TOTAL,
            "Files of insights by result: written, failed (and tried again), or skipped for a record that is no insight"
        );
        let counter = |result: &'static str| metrics::counter!(FILES_TOTAL, "result" => result);
        Ok(Self {
            store,
            folder: prefix.join(FOLDER),
            written: counter("written"),
            failed: counter("failed"),
            skipped: counter("skipped"),
        })
    }

    async fn put(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let file = self.folder.clone().join(name);
        let put = self.store.put(&file, content.to_vec().into());
        match tokio::time::timeout(WRITE_TIMEOUT, put).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("writing {file} timed out after {} s", WRITE_TIMEOUT.as_secs())),
        }
    }
}

impl Processor for Files {
    type Product = ();

    async fn process(&self, record: &Record<'_>, attempt: &Attempt<'_>) -> Outcome {
        let value = record.value().unwrap_or_default();
        let name = match insight::file_name(value) {
            Ok(name) => name,
            // Another producer's record: skipped, since the topic keeps it and no file is missing.
            Err(reason) => {
                self.skipped.increment(1);
                let (partition, offset) = (record.partition(), record.offset());
                tracing::warn!(topic = record.topic(), partition, offset, %reason, "skipping a record that is not an insight");
                return Outcome::DONE;
            }
        };
        match self.put(&name, value).await {
            Ok(()) => {
                self.written.increment(1);
                Outcome::DONE
            }
            Err(reason) => {
                self.failed.increment(1);
                tracing::warn!(name, attempt = attempt.number(), reason, "writing an insight's file failed, retrying");
                Outcome::retry(reason)
            }
        }
    }
}
