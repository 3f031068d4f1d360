//! The stage `clean`: a raw object → Parquet under `cleaned/`, records on `cleaned-logs`, what is no row under `quarantine/`.
//!
//! Nothing is visible of an object before all of it is cleaned and its rows are acknowledged. Then its files replace those of
//! an earlier content, and the manifest says so.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use millrace_domain::event::UNKNOWN_SERVICE;
use millrace_kafka::Producer;
use millrace_lake::{CleanError, Folder, LakeWriter, Report, Source};
use millrace_objects::{Object, ObjectReader, Objects};

use crate::bus::{Bus, tell};
use crate::error::StageError;
use crate::manifest::Manifest;
use crate::publish::{PublishingSink, publish, way};
use crate::space;
use crate::stream::Record;

/// The stage's name.
const STAGE: &str = "clean";

/// Bytes read at once.
const BLOCK: usize = 256 << 10;

/// How often an object is read again that changes while it is cleaned.
const CHANGES: usize = 5;

/// Cleans raw objects.
#[derive(Clone)]
pub struct CleanStage {
    objects: Arc<Objects>,
    producer: Producer,
    bus: Arc<dyn Bus>,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleaned {
    /// What it became.
    pub manifest: Manifest,
    /// Whether it was cleaned by an earlier run, and nothing was written.
    pub was_done: bool,
    /// Files of an earlier content that were removed.
    pub removed: BTreeSet<String>,
}

/// What cleaning made, in a folder of this machine.
struct Made {
    files: Vec<String>,
    report: Report,
    damage: Option<String>,
}

impl CleanStage {
    /// The stage over the objects of a lake.
    pub fn new(objects: Arc<Objects>, producer: Producer, bus: Arc<dyn Bus>) -> Self {
        Self { objects, producer, bus }
    }

    /// Cleans an object, and says on the bus what became of it. `attempt` counts from 1.
    ///
    /// # Errors
    /// [`StageError`], and nothing of this content is visible. Also where the bus did not take the event: the next stage
    /// would not know.
    pub async fn run(&self, object: &str, attempt: u32) -> Result<Cleaned, StageError> {
        let cleaned = self.clean(object).await;
        if let Ok(Cleaned { manifest, was_done, .. }) = &cleaned {
            let Report { rows, duplicates, quarantined, .. } = manifest.report;
            tracing::debug!(object, rows, duplicates, quarantined, was_done, "cleaned");
            if let Some(reason) = &manifest.damage {
                tracing::warn!(object, reason, "the object was not read to its end; the lines before are cleaned");
            }
        }
        let became = |cleaned: &Cleaned| (Manifest::path(&cleaned.manifest.name), cleaned.manifest.report.rows);
        tell(&*self.bus, STAGE, object, attempt, cleaned, became).await
    }

    async fn clean(&self, path: &str) -> Result<Cleaned, StageError> {
        for _ in 0..CHANGES {
            let object = self.objects.get(path).await?;
            let version = object.version.clone();
            let cleaned = self.clean_version(path, object).await?;
            // A run that began with an older content may end last.
            if self.objects.version(path).await? == version {
                return Ok(cleaned);
            }
        }
        Err(StageError::S3Unavailable(format!("{path} changed whenever it was read")))
    }

    async fn clean_version(&self, path: &str, object: Object) -> Result<Cleaned, StageError> {
        let source = source(path, object.written);
        let name = millrace_lake::file_name(&source);
        let manifest_path = Manifest::path(&name);
        let before = Manifest::read(&self.objects, &manifest_path).await?;
        if let Some(manifest) = before.as_ref().filter(|before| before.version.as_ref() == Some(&object.version)) {
            return Ok(Cleaned { manifest: manifest.clone(), was_done: true, removed: BTreeSet::new() });
        }
        let folder = space::folder()?;
        let made = self.make(object.reader, source, folder.path()).await?;
        // Read again: another run may have written files meanwhile.
        let before = Manifest::read(&self.objects, &manifest_path).await?;
        let replaced: BTreeSet<String> = before.map(|before| before.files).unwrap_or_default();
        let files: BTreeSet<String> = made.files.into_iter().collect();

        let done = Manifest {
            name,
            object: path.to_owned(),
            version: Some(object.version),
            files,
            report: made.report,
            damage: made.damage,
        };
        let all = done.files.union(&replaced).cloned().collect();
        Manifest { version: None, files: all, ..done.clone() }.write(&self.objects, &manifest_path).await?;
        for file in &done.files {
            self.objects.put_file(file, &folder.path().join(file)).await?;
        }
        let removed: BTreeSet<String> = replaced.difference(&done.files).cloned().collect();
        for file in &removed {
            self.objects.delete(file).await?;
        }
        done.write(&self.objects, &manifest_path).await?;
        Ok(Cleaned { manifest: done, was_done: false, removed })
    }

    /// Cleans into a folder of this machine, and publishes the rows.
    async fn make(&self, reader: ObjectReader, source: Source, folder: &Path) -> Result<Made, StageError> {
        let (blocks, published) = way();
        let folder = folder.to_owned();
        let cleaning = tokio::task::spawn_blocking(move || clean_into(reader, &source, &folder, blocks));
        let (made, published) = tokio::join!(cleaning, publish(&self.producer, published));
        let made = made.map_err(|error| StageError::Local(error.to_string()))?;
        // Where rows cannot be published, that is why cleaning ended; what was read before the store broke off is none.
        match made {
            Err(error @ StageError::S3Unavailable(_)) => Err(error),
            made => published.and(made),
        }
    }
}

fn clean_into(
    mut reader: ObjectReader,
    source: &Source,
    folder: &Path,
    blocks: tokio::sync::mpsc::Sender<Vec<Record>>,
) -> Result<Made, StageError> {
    let local = |error: std::io::Error| StageError::Local(error.to_string());
    let mut files = Folder::new(folder);
    let mut writer = LakeWriter::new(&mut files, source);
    let mut sink = PublishingSink { writer: &mut writer, blocks };
    let cleaned = millrace_lake::clean(BufReader::with_capacity(BLOCK, &mut reader), source, &mut sink);
    drop(sink);
    let (report, damage) = match cleaned {
        Ok(report) => (report, None),
        Err(CleanError::Read { error, .. }) if reader.has_failed() => {
            return Err(StageError::S3Unavailable(format!("{}: {error}", source.name)));
        }
        Err(CleanError::Read { report, error, .. }) => (*report, Some(error.to_string())),
        Err(error @ CleanError::Write { .. }) => return Err(StageError::Local(error.to_string())),
    };
    let files = writer.finish().map_err(local)?;
    Ok(Made { files, report, damage })
}

/// An object of the lake, as a source of rows: its path there is what it is told by.
pub(crate) fn source(path: &str, written: Timestamp) -> Source {
    Source {
        name: path.to_owned(),
        identity: path.to_owned(),
        service: UNKNOWN_SERVICE.to_owned(),
        observed: i64::try_from(written.as_nanosecond()).unwrap_or(i64::MAX),
        offset: 0,
    }
}
