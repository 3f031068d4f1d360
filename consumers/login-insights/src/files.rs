//! Writes the file of each insight.

use std::path::Path;

use metrics::Counter;
use millrace_consumer::{Attempt, Outcome, Processor};
use millrace_domain::insight;
use millrace_host::exit::SettingError;
use millrace_kafka::Record;
use millrace_objects::{Location, Objects};

use crate::settings::Settings;

/// The folder of the files at the destination.
const FOLDER: &str = "insights";

/// The counter of files.
const FILES_TOTAL: &str = "millrace_login_insights_files_total";

/// Writes the files of insights. The consumer runtime calls it for each record of `processed-data`.
///
/// A write is atomic, and its name is derived from the insight: writing again is idempotent.
#[derive(Debug)]
pub struct Files {
    objects: Objects,
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
    pub fn from_settings(settings: &Settings, data_dir: &Path) -> Result<Self, SettingError> {
        let location = settings.insights_to.clone().unwrap_or_else(|| Location::Folder(data_dir.to_owned()));
        let objects =
            Objects::open(&location).map_err(|error| SettingError::of_flag("insights-to", error.to_string()))?;
        metrics::describe_counter!(
            FILES_TOTAL,
            "Files of insights by result: written, failed (and tried again), or skipped for a record that is no insight"
        );
        let counter = |result: &'static str| metrics::counter!(FILES_TOTAL, "result" => result);
        Ok(Self { objects, written: counter("written"), failed: counter("failed"), skipped: counter("skipped") })
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
        match self.objects.put(&format!("{FOLDER}/{name}"), value.to_vec().into()).await {
            Ok(()) => {
                self.written.increment(1);
                Outcome::DONE
            }
            Err(error) => {
                let reason = error.to_string();
                self.failed.increment(1);
                tracing::warn!(name, attempt = attempt.number(), reason, "writing an insight's file failed, retrying");
                Outcome::retry(reason)
            }
        }
    }
}
