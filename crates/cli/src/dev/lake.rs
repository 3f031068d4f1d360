//! The lake inside `millrace dev`: raw objects are cleaned as they appear in their folder.
//!
//! On AWS the bucket says that an object was made; a folder says nothing, and is looked at. What was cleaned before is told
//! by the objects' manifests.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use millrace_domain::{Backoff, ErrorClass};
use millrace_host::shutdown::Deadline;
use millrace_kafka::Producer;
use millrace_lake::folders;
use millrace_log_shipper::RAW;
use millrace_objects::{Location, Objects};
use millrace_stages::CleanStage;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the folder is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Delays between attempts to clean an object.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) };

/// File systems note times in steps of up to so long.
const CLOCK_TICK: Duration = Duration::from_secs(2);

/// The lake, whose raw objects are being cleaned.
pub(super) struct LiveLake {
    /// To clean what is there, and end.
    stop: CancellationToken,
    /// To end after the object that is being cleaned.
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl LiveLake {
    /// Cleans what is in the lake of this folder, and what comes.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub(super) fn start(folder: &Path, producer: Producer) -> anyhow::Result<Self> {
        let objects = Objects::open(&Location::Folder(folder.to_owned())).context("the lake")?;
        let cleaner = Cleaner {
            stage: CleanStage::new(Arc::new(objects), producer, None),
            lake: folder.to_owned(),
            folders: HashMap::new(),
            failed: HashMap::new(),
        };
        let (stop, end) = (CancellationToken::new(), CancellationToken::new());
        Ok(Self { task: tokio::spawn(cleaner.run(stop.clone(), end.clone())), stop, end })
    }

    /// Cleans what is there now, and ends; false where that takes longer than the deadline. The next start cleans the rest.
    pub(super) async fn finish(self, deadline: Deadline) -> bool {
        self.stop.cancel();
        let is_done = deadline.limit(self.task).await.is_ok();
        self.end.cancel();
        is_done
    }
}

struct Cleaner {
    stage: CleanStage,
    lake: PathBuf,
    /// The folders of hours, when each was changed last, and its objects that are cleaned.
    folders: HashMap<PathBuf, Seen>,
    /// Objects that could not be cleaned yet: how often that was tried, and when it is tried again.
    failed: HashMap<String, (u32, Instant)>,
}

#[derive(Default)]
struct Seen {
    changed: Option<SystemTime>,
    objects: HashSet<(String, SystemTime)>,
}

impl Cleaner {
    async fn run(mut self, stop: CancellationToken, end: CancellationToken) {
        let mut looks = tokio::time::interval(POLL_INTERVAL);
        loop {
            let is_last = stop.run_until_cancelled(looks.tick()).await.is_none();
            let objects = self.new_objects();
            self.clean(objects, &end).await;
            if is_last {
                break;
            }
        }
    }

    async fn clean(&mut self, objects: Vec<String>, end: &CancellationToken) {
        let now = Instant::now();
        let again: Vec<String> =
            self.failed.iter().filter(|(_, (_, due))| *due <= now).map(|(object, _)| object.clone()).collect();
        for object in again.into_iter().chain(objects) {
            if end.is_cancelled() {
                return;
            }
            let attempt = self.failed.remove(&object).map_or(0, |(attempts, _)| attempts) + 1;
            // The stage logs what happens.
            if let Err(error) = self.stage.run(&object, attempt).await
                && error.class() == ErrorClass::Transient
            {
                let delay = BACKOFF.delay(attempt, None, &mut rand::rng());
                self.failed.insert(object, (attempt, Instant::now() + delay));
            }
        }
    }

    /// The objects that are new, or were replaced, since the last look. A folder that cannot be read is looked at again.
    fn new_objects(&mut self) -> Vec<String> {
        let mut objects = Vec::new();
        // raw/YYYY/MM/DD/HH
        let mut level = vec![self.lake.join(RAW)];
        for _ in 0..4 {
            let below = |folder: &PathBuf| {
                folders(folder).unwrap_or_else(|error| {
                    warn_unreadable(folder, &error);
                    Vec::new()
                })
            };
            level = level.iter().flat_map(below).collect();
        }
        for folder in level {
            if let Err(error) = self.look(&folder, &mut objects) {
                warn_unreadable(&folder, &error);
            }
        }
        objects.sort();
        objects
    }

    /// Looks at the folder of an hour.
    fn look(&mut self, folder: &Path, objects: &mut Vec<String>) -> io::Result<()> {
        let changed = fs::metadata(folder)?.modified()?;
        let seen = self.folders.entry(folder.to_owned()).or_default();
        if seen.changed == Some(changed) {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A file that is being written: NAME#NUMBER.
            if name.contains('#') || !entry.file_type()?.is_file() {
                continue;
            }
            if seen.objects.insert((name, entry.metadata()?.modified()?))
                && let Ok(object) = entry.path().strip_prefix(&self.lake)
            {
                objects.push(object.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"));
            }
        }
        // Another object may come in the same tick of the file system's clock.
        let is_settled = changed.elapsed().is_ok_and(|since| since > CLOCK_TICK);
        seen.changed = is_settled.then_some(changed);
        Ok(())
    }
}

/// Says that a folder cannot be read; it is looked at again.
fn warn_unreadable(folder: &Path, error: &io::Error) {
    tracing::warn!(folder = %folder.display(), %error, "cannot look for raw logs");
}
