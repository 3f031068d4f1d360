//! The stage `metrics`: the rows of an hour → `metrics/dt=…/hour=H/metrics.parquet`, and records on topic `metrics`.
//!
//! An event of an object says that its hour has changed: the stage lists the hour's files of rows, and counts those that the hour's
//! metrics do not count yet. So events may come in any order, several times, or not at all where another one of the hour does. The
//! metrics say of which files they were made, and are replaced only where they are still those that were read: of runs at the same
//! time one writes, and the others begin again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use millrace_domain::event::UNKNOWN_SERVICE;
use millrace_kafka::Producer;
use millrace_lake::metrics::{HourFile, LatencySummary, WINDOW_SECONDS, Window, Windows, windows_of};
use millrace_objects::{GetError, Object, Objects};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::bus::{Bus, tell, tell_failed};
use crate::error::StageError;
use crate::history::decoded;
use crate::rows::{is_rows, row_files};
use crate::space;
use crate::stream::{Record, Stream};

/// The stage's name.
const STAGE: &str = "metrics";

/// Where windows go.
const WINDOWS: Stream =
    Stream { topic: "metrics", event_type: "millrace.metrics.window", source: "/millrace/log-metrics" };

/// How often a run begins again because another one wrote.
const CONFLICTS: usize = 20;

/// How long files are counted before what they come to is written: a run that ends too early has done something. Of an hour that is counted
/// anew that is beside its metrics, which stay as they are until all of it is counted.
const PASS_TIME: Duration = Duration::from_secs(20);

/// Windows are late that change so many seconds after their end.
const LATE_AFTER: i64 = 600;

/// Counts cleaned rows.
#[derive(Clone)]
pub struct MetricsStage {
    objects: Arc<Objects>,
    producer: Producer,
    bus: Arc<dyn Bus>,
    pass_time: Duration,
}

/// What counting did to an hour's metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The hour's file of metrics.
    pub metrics: String,
    /// How many windows it has.
    pub windows: u64,
    /// How many files of rows this run has counted.
    pub files: u64,
}

/// The value of a record on topic `metrics`.
#[derive(Serialize)]
struct WindowRecord<'w> {
    service: &'w str,
    window_start: Timestamp,
    window_seconds: i64,
    count: u64,
    errors: u64,
    error_rate: f64,
    latency_ms: Option<LatencySummary>,
    late: bool,
}

/// What one pass over an hour's files comes to.
struct Pass {
    after: HourFile,
    /// How many files it has counted.
    files: u64,
    /// Files that no metrics can be made of.
    failed: Vec<(String, StageError)>,
    /// Whether no file is left.
    is_last: bool,
    /// Whether it goes on with the hour's metrics; otherwise they are counted anew.
    is_kept: bool,
}

/// A window's first second and its service.
type Key = (i64, String);

impl MetricsStage {
    /// The stage over the objects of a lake.
    pub fn new(objects: Arc<Objects>, producer: Producer, bus: Arc<dyn Bus>) -> Self {
        Self { objects, producer, bus, pass_time: PASS_TIME }
    }

    /// Writes what it has counted after so long, and goes on.
    #[must_use]
    pub fn with_pass_time(self, pass_time: Duration) -> Self {
        Self { pass_time, ..self }
    }

    /// Counts the hour of a file of rows, and says on the bus what became of it. `attempt` counts from 1.
    ///
    /// # Errors
    /// [`StageError`]. Files of the hour that no metrics can be made of are said on the bus, and left out: the others count. Where the object
    /// is one of them, that is the error.
    pub async fn run(&self, object: &str, attempt: u32) -> Result<Counted, StageError> {
        let counted = match self.count(object, attempt).await {
            Ok((_, Some(error))) => return Err(error),
            Ok((counted, None)) => Ok(counted),
            Err(error) => Err(error),
        };
        if let Ok(Counted { metrics, windows, files }) = &counted {
            tracing::debug!(object, metrics, windows, files, "counted");
        }
        tell(&*self.bus, STAGE, object, attempt, counted, |counted| (counted.metrics.clone(), counted.windows)).await
    }

    /// Counts the hour of a file of rows. Where no metrics can be made of that file, the bus has been told why.
    async fn count(&self, object: &str, attempt: u32) -> Result<(Counted, Option<StageError>), StageError> {
        let hour = hour(object).ok_or_else(|| {
            StageError::ObjectName(format!("{object}: not cleaned/dt=YYYY-MM-DD/hour=H/NAME.parquet"))
        })?;
        let path = metrics_path(hour);
        // Windows that may be on the topic as this run thought that they would be, but for another one that wrote meanwhile.
        let mut changed: BTreeSet<Key> = BTreeSet::new();
        let (mut conflicts, mut files, mut of_object) = (0, 0, None);
        while conflicts < CONFLICTS {
            let (before, version) = self.metrics(&path).await?;
            let Some(pass) = self.pass(hour, &before).await? else {
                conflicts += 1;
                continue;
            };
            if !pass.is_kept && !pass.is_last {
                // The metrics stay as they are until all of the hour is counted anew.
                of_object = self.tell_all(pass.failed, object, attempt).await?.or(of_object);
                self.objects.put(&recount_path(hour), bytes_of(&pass.after)?).await?;
                files += pass.files;
                continue;
            }
            changed.extend(differing(&before.windows, &pass.after.windows));
            if attempt > 1 && pass.is_last {
                // An earlier attempt may have ended before its windows were acknowledged.
                changed.extend(pass.after.windows.0.keys().cloned());
            }
            self.publish(&pass.after.windows, &changed).await?;
            // Before the metrics say that these files have been read: no later run reads them again.
            of_object = self.tell_all(pass.failed, object, attempt).await?.or(of_object);
            let windows = pass.after.windows.0.len() as u64;
            // Windows are a function of the files that they are made of.
            if pass.after.made_of != before.made_of
                && !self.objects.replace(&path, bytes_of(&pass.after)?, version.as_deref()).await?
            {
                conflicts += 1;
                continue;
            }
            files += pass.files;
            changed.clear();
            if pass.is_last {
                return Ok((Counted { metrics: path, windows, files }, of_object));
            }
        }
        Err(StageError::S3Unavailable(format!("{path} changed whenever it was about to be written")))
    }

    /// Says on the bus that no metrics can be made of files; why not of the object, where it is one of them.
    async fn tell_all(
        &self,
        failed: Vec<(String, StageError)>,
        object: &str,
        attempt: u32,
    ) -> Result<Option<StageError>, StageError> {
        let mut of_object = None;
        for (file, error) in failed {
            tell_failed(&*self.bus, STAGE, &file, attempt, &error).await?;
            if file == object {
                of_object = Some(error);
            }
        }
        Ok(of_object)
    }

    /// The hour's metrics so far, and their version.
    async fn metrics(&self, path: &str) -> Result<(HourFile, Option<String>), StageError> {
        let content = match self.objects.read(path).await {
            Ok(content) => content,
            Err(GetError::Missing { .. }) => return Ok((HourFile::default(), None)),
            Err(error) => return Err(error.into()),
        };
        let file = decoded(move || HourFile::from_bytes(content.bytes)).await.unwrap_or_else(|error| {
            tracing::error!(metrics = path, error, "metrics that cannot be read are made anew of the hour's rows");
            HourFile::default()
        });
        Ok((file, Some(content.version)))
    }

    /// Counts files of rows that the hour's metrics do not count yet, until the time of a pass is over; none where a file changed meanwhile.
    async fn pass(&self, hour: &str, before: &HourFile) -> Result<Option<Pass>, StageError> {
        let begun = Instant::now();
        let files = row_files(&self.objects, hour).await?;
        let files: BTreeMap<String, String> = files.into_iter().map(|(name, file)| (name, file.version)).collect();
        // What a file that is gone, or was replaced, has added to sums cannot be taken out of them.
        let is_of = |counted: &HourFile| counted.made_of.iter().all(|(name, version)| files.get(name) == Some(version));
        let is_kept = is_of(before);
        let after = if is_kept {
            before.clone()
        } else {
            let (recount, _) = self.metrics(&recount_path(hour)).await?;
            if is_of(&recount) { recount } else { HourFile::default() }
        };
        let mut pass = Pass { after, files: 0, failed: Vec::new(), is_last: true, is_kept };
        for (name, version) in files {
            if pass.after.made_of.contains_key(&name) {
                continue;
            }
            if pass.files > 0 && begun.elapsed() > self.pass_time {
                pass.is_last = false;
                break;
            }
            let path = format!("{hour}/{name}");
            match self.windows(&path, &version).await {
                Ok(Some(windows)) => pass.after.windows.merge(windows),
                Ok(None) | Err(StageError::S3MissingFile(_)) => return Ok(None),
                // It is left out, and read again when it is replaced.
                Err(error @ StageError::MetricsGenerationFailed(_)) => pass.failed.push((path, error)),
                Err(error) => return Err(error),
            }
            pass.after.made_of.insert(name, version);
            pass.files += 1;
        }
        Ok(Some(pass))
    }

    /// The windows of a file of rows; none where it has another version.
    async fn windows(&self, path: &str, version: &str) -> Result<Option<Windows>, StageError> {
        let object = self.objects.get(path).await?;
        if object.version == version { count_file(object, path).await.map(Some) } else { Ok(None) }
    }

    /// Writes windows to their topic. The last record of a window is the right one: a run writes before it replaces the
    /// metrics, and writes again what it has written where it could not.
    async fn publish(&self, windows: &Windows, changed: &BTreeSet<Key>) -> Result<(), StageError> {
        let now = Timestamp::now().as_second();
        let none = Window::default();
        let records = changed.iter().map(|key| {
            // A window that is gone has no rows.
            let window = windows.0.get(key).unwrap_or(&none);
            record(key.0, &key.1, window, now)
        });
        let records: Vec<Record> =
            records.collect::<serde_json::Result<_>>().map_err(|error| StageError::Local(error.to_string()))?;
        WINDOWS.send(&self.producer, records).await
    }
}

/// The windows of a file of rows.
pub(crate) async fn count_file(object: Object, path: &str) -> Result<Windows, StageError> {
    let file = space::copied(object, path, tempfile::tempfile).await?;
    let windows = decoded(move || windows_of(file, UNKNOWN_SERVICE)).await;
    windows.map_err(|error| StageError::MetricsGenerationFailed(format!("{path}: {error}")))
}

fn record(start: i64, service: &str, window: &Window, now: i64) -> serde_json::Result<Record> {
    let window_start = Timestamp::from_second(start).unwrap_or_default();
    let value = WindowRecord {
        service,
        window_start,
        window_seconds: WINDOW_SECONDS,
        count: window.count,
        errors: window.errors,
        error_rate: window.error_rate(),
        latency_ms: window.latencies.summary(),
        late: now - (start + WINDOW_SECONDS) > LATE_AFTER,
    };
    // Names the window with what it comes to: equal ones are one.
    let content = format!("{service}\n{start}\n{}\n{}\n{:?}", window.count, window.errors, value.latency_ms);
    Ok(Record {
        id: format!("metrics-{:016x}", xxh3_64(content.as_bytes())),
        time: window_start.to_string(),
        key: Some(service.to_owned()),
        value: serde_json::to_vec(&value)?,
    })
}

/// The keys of windows that are not the same in both.
fn differing(before: &Windows, after: &Windows) -> BTreeSet<Key> {
    let keys = before.0.keys().chain(after.0.keys());
    keys.filter(|key| before.0.get(key) != after.0.get(key)).cloned().collect()
}

/// The folder of the hour of a file of rows.
fn hour(object: &str) -> Option<&str> {
    let (hour, name) = object.rsplit_once('/')?;
    let mut parts = hour.split('/');
    let is_hour = parts.next() == Some("cleaned")
        && parts.next().is_some_and(|day| day.starts_with("dt="))
        && parts.next().is_some_and(|hour| hour.starts_with("hour="))
        && parts.next().is_none();
    (is_hour && is_rows(name)).then_some(hour)
}

fn bytes_of(file: &HourFile) -> Result<Bytes, StageError> {
    file.to_bytes().map_err(|error| StageError::Local(error.to_string()))
}

/// The file of an hour that is being counted anew, by its folder of rows.
fn recount_path(hour: &str) -> String {
    format!("{}.parquet", hour.replacen("cleaned", "stages/metrics", 1))
}

/// The file of metrics of an hour's folder of rows.
pub(crate) fn metrics_path(hour: &str) -> String {
    format!("{}/metrics.parquet", hour.replacen("cleaned", "metrics", 1))
}
