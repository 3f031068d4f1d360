//! The lake inside `millrace dev`: raw objects are cleaned as they appear in their folder, their rows counted, and what is unusual
//! of the counts told; the files of hours that are over are compacted.
//!
//! On AWS the bucket says that an object was made; a folder says nothing, and is looked at. What was cleaned before is told
//! by the objects' manifests, and what was counted by the metrics.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use jiff::Timestamp;
use millrace_domain::{Backoff, ErrorClass};
use millrace_host::shutdown::Deadline;
use millrace_kafka::Producer;
use millrace_lake::compact::CompactLimits;
use millrace_lake::folders;
use millrace_log_shipper::RAW;
use millrace_objects::{Location, Objects};
use millrace_stages::{CleanStage, CompactStage, DEFAULT_QUIET, MetricsStage, StageError, Watch, WatchSettings};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::alerts::Terminal;

/// How often the folder is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How often what is unusual is looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// When it is told. Log records are in an object after 10 s at most, and counted a few seconds later.
const WATCH: WatchSettings = WatchSettings { delay: Duration::from_secs(20), quiet: DEFAULT_QUIET };

/// How often hours are looked for that are to be compacted.
const COMPACT_INTERVAL: Duration = Duration::from_mins(1);

/// No further hour is compacted after so long, until the next look.
const COMPACT_TIME: Duration = Duration::from_mins(1);

/// Delays between attempts of a stage for an object.
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
    /// Cleans and counts what is in the lake of this folder, and what comes.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub(super) fn start(folder: &Path, producer: Producer) -> anyhow::Result<Self> {
        let objects = Objects::open(&Location::Folder(folder.to_owned())).context("the lake")?;
        let (objects, terminal) = (Arc::new(objects), Arc::new(Terminal));
        let (made, compacted) = mpsc::unbounded_channel();
        let stages = Stages {
            clean: CleanStage::new(objects.clone(), producer.clone(), terminal.clone()),
            metrics: MetricsStage::new(objects.clone(), producer, terminal.clone()),
            lake: folder.to_owned(),
            folders: HashMap::new(),
            to_clean: Due::default(),
            to_count: Due::default(),
            compacted,
        };
        let (stop, end) = (CancellationToken::new(), CancellationToken::new());
        let compact = CompactStage::new(objects.clone(), terminal.clone(), CompactLimits::default());
        tokio::spawn(end.clone().run_until_cancelled_owned(compact_hours(compact, made)));
        tokio::spawn(end.clone().run_until_cancelled_owned(watch(Watch::new(objects, terminal, WATCH))));
        Ok(Self { task: tokio::spawn(stages.run(stop.clone(), end.clone())), stop, end })
    }

    /// Cleans what is there now, and ends; false where that takes longer than the deadline. The next start cleans the rest.
    pub(super) async fn finish(self, deadline: Deadline) -> bool {
        self.stop.cancel();
        let is_done = deadline.limit(self.task).await.is_ok();
        self.end.cancel();
        is_done
    }
}

struct Stages {
    clean: CleanStage,
    metrics: MetricsStage,
    lake: PathBuf,
    /// The folders of hours, when each was changed last, and its objects that are cleaned.
    folders: HashMap<PathBuf, Seen>,
    /// Raw objects.
    to_clean: Due,
    /// Files of rows: one of an hour stands for all.
    to_count: Due,
    /// Those that compaction has made.
    compacted: mpsc::UnboundedReceiver<String>,
}

/// Objects that a stage has to do: how often that was tried, and when it is tried.
#[derive(Default)]
struct Due(HashMap<String, (u32, Instant)>);

impl Due {
    fn add(&mut self, objects: impl IntoIterator<Item = String>) {
        let now = Instant::now();
        self.0.extend(objects.into_iter().map(|object| (object, (0, now))));
    }

    /// Those that are due, by their names, and which attempts these are.
    fn take(&mut self) -> Vec<(String, u32)> {
        let now = Instant::now();
        let due = self.0.extract_if(|_, (_, due)| *due <= now);
        let mut due: Vec<(String, u32)> = due.map(|(object, (attempts, _))| (object, attempts + 1)).collect();
        due.sort();
        due
    }

    /// Tries again later what may succeed then. The stage has logged what happened.
    fn failed(&mut self, object: String, attempt: u32, error: &StageError) {
        if error.class() == ErrorClass::Transient {
            let delay = BACKOFF.delay(attempt, None, &mut rand::rng());
            self.0.insert(object, (attempt, Instant::now() + delay));
        }
    }
}

/// Looks for what is unusual, again and again.
async fn watch(watch: Watch) {
    let mut looks = tokio::time::interval(WATCH_INTERVAL);
    loop {
        looks.tick().await;
        if let Err(error) = watch.look(Timestamp::now()).await {
            tracing::warn!(%error, "cannot look for what is unusual; trying again");
        }
    }
}

/// Compacts hours that are over, again and again; names a file of each that changed.
async fn compact_hours(compact: CompactStage, made: mpsc::UnboundedSender<String>) {
    let mut looks = tokio::time::interval(COMPACT_INTERVAL);
    loop {
        looks.tick().await;
        let look = compact.look(Timestamp::now(), COMPACT_TIME).await;
        if let Some(error) = look.failed {
            tracing::warn!(%error, "cannot compact the lake; trying again");
        }
        for file in look.hours.into_iter().filter_map(|hour| hour.files.into_iter().next()) {
            // The other end is gone when the program ends: the hour is counted anew when it changes again.
            let _ = made.send(file);
        }
    }
}

#[derive(Default)]
struct Seen {
    changed: Option<SystemTime>,
    objects: HashSet<(String, SystemTime)>,
}

impl Stages {
    async fn run(mut self, stop: CancellationToken, end: CancellationToken) {
        let mut looks = tokio::time::interval(POLL_INTERVAL);
        loop {
            let is_last = stop.run_until_cancelled(looks.tick()).await.is_none();
            let objects = self.new_objects();
            self.to_clean.add(objects);
            self.clean(&end).await;
            self.to_count.add(std::iter::from_fn(|| self.compacted.try_recv().ok()));
            self.count(&end).await;
            if is_last {
                break;
            }
        }
    }

    async fn clean(&mut self, end: &CancellationToken) {
        // A file of rows of each hour that changes.
        let mut hours: BTreeMap<String, String> = BTreeMap::new();
        for (object, attempt) in self.to_clean.take() {
            if end.is_cancelled() {
                return;
            }
            match self.clean.run(&object, attempt).await {
                Ok(cleaned) => {
                    let files = cleaned.manifest.files.into_iter().chain(cleaned.removed);
                    let rows = files.filter(|file| file.starts_with("cleaned/"));
                    hours.extend(rows.filter_map(|file| Some((file.rsplit_once('/')?.0.to_owned(), file))));
                }
                Err(error) => self.to_clean.failed(object, attempt, &error),
            }
        }
        self.to_count.add(hours.into_values());
    }

    async fn count(&mut self, end: &CancellationToken) {
        for (object, attempt) in self.to_count.take() {
            if end.is_cancelled() {
                return;
            }
            if let Err(error) = self.metrics.run(&object, attempt).await {
                self.to_count.failed(object, attempt, &error);
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
