//! The stage `compact`: the files of rows of an hour that is over → few, with their rows in order of time and each id once.
//!
//! The new files are made on this machine. Then [`Compaction`] says what is going to be replaced, the new files are written, it says that they are,
//! and the old ones go: a run that ends in between leaves each row where our readers find it once, and the next run ends what it
//! began. Of runs at the same time one goes on, by compare-and-swap.
//!
//! A file that is written anew under its name while the old ones go is compared with what was read just before it is removed: its rows are
//! lost only where that happens between the two calls. Cleaning writes a file anew only where its raw object was replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use millrace_lake::compact::{CompactError, CompactLimits, Compacted, RowFile, compact, plan};
use millrace_lake::{Folder, hour_folder};
use millrace_objects::{GetError, Listed, Objects};
use xxhash_rust::xxh3::Xxh3;

use crate::bus::{Bus, tell, tell_failed};
use crate::error::StageError;
use crate::history::hours_of_rows;
use crate::rows::{COMPACTED_PREFIX, Compaction, all_row_files};
use crate::space;

/// The stage's name.
const STAGE: &str = "compact";

/// Hours are looked at that began so many hours ago at most: rows that come later stay in files of their own.
const LOOK_BACK_HOURS: i64 = 7 * 24;

/// Files that are read, or removed, at the same time.
const FILES_AT_ONCE: usize = 8;

/// A run that began to write so long ago has ended: a function's invocation has at most 15 minutes.
const LEASE: Duration = Duration::from_mins(16);

/// Compacts the hours of a lake.
#[derive(Clone)]
pub struct CompactStage {
    objects: Arc<Objects>,
    bus: Arc<dyn Bus>,
    limits: CompactLimits,
}

/// What became of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactedHour {
    /// The folder of its rows.
    pub folder: String,
    /// The files that were made, relative to the lake.
    pub files: Vec<String>,
    /// How many rows they have.
    pub rows: u64,
    /// How many rows were left out, whose id another one has.
    pub duplicates: u64,
    /// How many files they replace.
    pub replaced: usize,
}

/// What a look at all hours came to.
#[derive(Debug, Default)]
pub struct CompactLook {
    /// The hours that were compacted.
    pub hours: Vec<CompactedHour>,
    /// Why an hour was not, the first of them; the bus was told of each.
    pub failed: Option<StageError>,
}

/// An hour, as compaction left it.
struct Hour {
    folder: String,
    /// The path of what says how it was compacted last.
    path: String,
    compaction: Compaction,
    version: Option<String>,
    files: BTreeMap<String, Listed>,
}

impl CompactStage {
    /// The stage over the objects of a lake.
    pub fn new(objects: Arc<Objects>, bus: Arc<dyn Bus>, limits: CompactLimits) -> Self {
        Self { objects, bus, limits }
    }

    /// Compacts the hours that are due, the latest first, and says each on the bus; begins no further one after `time`.
    pub async fn look(&self, now: Timestamp, time: Duration) -> CompactLook {
        let begun = Instant::now();
        let mut look = CompactLook::default();
        let is_over = now.checked_sub(self.limits.delay).unwrap_or(now).as_second().div_euclid(3_600);
        let hours = hours_of_rows(&self.objects, is_over - LOOK_BACK_HOURS..is_over).await.unwrap_or_else(|error| {
            look.failed = Some(error);
            BTreeSet::new()
        });
        for hour in hours.into_iter().rev() {
            // An hour beyond the limit is compacted in parts.
            while begun.elapsed() < time {
                match self.run(hour, now).await {
                    Ok(Some(done)) => look.hours.push(done),
                    Ok(None) => break,
                    Err(error) => {
                        look.failed = look.failed.or(Some(error));
                        break;
                    }
                }
            }
        }
        look
    }

    async fn run(&self, hour: i64, now: Timestamp) -> Result<Option<CompactedHour>, StageError> {
        let Ok(folder) = hour_folder("cleaned", hour) else { return Ok(None) };
        let outcome = self.compact(hour, &folder, now).await;
        if let Err(error) = &outcome
            && !matches!(error, StageError::BusUnavailable(_))
        {
            // It comes again: the error itself is more than that the bus does not take it.
            let _ = tell_failed(&*self.bus, STAGE, &folder, 1, error).await;
        }
        outcome
    }

    /// Compacts what is due of an hour, or ends what an earlier run has begun; none where nothing is to be done, or another run is at it.
    async fn compact(&self, hour: i64, folder: &str, now: Timestamp) -> Result<Option<CompactedHour>, StageError> {
        loop {
            let Some(state) = self.settled(folder).await? else { return Ok(None) };
            if !state.compaction.is_done {
                return self.finish(state).await;
            }
            let inputs = plan(hour, &state.row_files(), now, self.limits);
            if inputs.is_empty() {
                return Ok(None);
            }
            let space = space::folder()?;
            if !self.fetch(&state, &inputs, space.path()).await? {
                return Ok(None);
            }
            let stem = format!("{folder}/{COMPACTED_PREFIX}{}", state.hash(&inputs));
            match merge(space.path().to_owned(), inputs.len(), stem).await? {
                Ok(merged) => {
                    let Some(state) = self.write_files(state, &inputs, &merged, space.path()).await? else {
                        return Ok(None);
                    };
                    return self.finish(state).await;
                }
                Err((index, error)) => {
                    self.quarantine(&state, &inputs[index], &input(space.path(), index), &error).await?;
                }
            }
        }
    }

    /// The hour without files that an earlier run has not written all: none where a run is writing them.
    async fn settled(&self, folder: &str) -> Result<Option<Hour>, StageError> {
        let path = Compaction::path(folder);
        let (mut compaction, mut version) = match Compaction::read(&self.objects, &path).await? {
            Some((compaction, version)) => (compaction, Some(version)),
            None => (Compaction { is_written: true, is_done: true, ..Compaction::default() }, None),
        };
        let mut files = all_row_files(&self.objects, folder).await?;
        if !compaction.is_written {
            let now = Timestamp::now();
            let is_under_way = |since: Timestamp| {
                let [end, begin] = [since.checked_add(LEASE), since.checked_sub(LEASE)];
                end.is_ok_and(|end| now < end) && begin.is_ok_and(|begin| begin < now)
            };
            if is_under_way(compaction.begun) {
                return Ok(None);
            }
            if compaction.made.iter().all(|made| files.contains_key(made)) {
                compaction.is_written = true;
            } else {
                // First it is another run's no more, then the files go, and until they are gone readers do not see them.
                compaction.begun = now;
                version = self.write(&compaction, &path, version.as_deref()).await?;
                if version.is_none() {
                    return Ok(None);
                }
                self.remove(folder, &compaction.made).await?;
                files.retain(|name, _| !compaction.made.contains(name));
                let kept = compaction.kept;
                compaction = Compaction { kept, is_written: true, is_done: true, ..Compaction::default() };
            }
            version = self.write(&compaction, &path, version.as_deref()).await?;
            if version.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(Hour { folder: folder.to_owned(), path, compaction, version, files }))
    }

    /// Copies files of an hour to this machine; false where one is gone or was replaced.
    async fn fetch(&self, hour: &Hour, names: &[String], space: &Path) -> Result<bool, StageError> {
        let fetch = |(index, name): (usize, &String)| {
            let (path, copy) = (format!("{}/{name}", hour.folder), input(space, index));
            let expected = hour.files.get(name).cloned();
            async move {
                let object = match self.objects.get(&path).await {
                    Err(GetError::Missing { .. }) => return Ok(false),
                    object => object?,
                };
                let Some(expected) = expected.filter(|file| file.version == object.version) else { return Ok(false) };
                let copied = space::copied(object, &path, move || File::create(copy)).await?;
                let bytes = copied.metadata().map_err(|error| StageError::Local(error.to_string()))?.len();
                if bytes != expected.bytes {
                    let problem = format!("{path}: {bytes} of {} bytes were read", expected.bytes);
                    return Err(StageError::S3Unavailable(problem));
                }
                Ok(true)
            }
        };
        let copies: Vec<_> = names.iter().enumerate().map(fetch).collect();
        let are_copied: Vec<bool> =
            futures_util::stream::iter(copies).buffer_unordered(FILES_AT_ONCE).try_collect().await?;
        Ok(are_copied.into_iter().all(|is_copied| is_copied))
    }

    /// Writes merged files; the hour with them, or none where another run was faster.
    async fn write_files(
        &self,
        hour: Hour,
        inputs: &[String],
        merged: &Compacted,
        space: &Path,
    ) -> Result<Option<Hour>, StageError> {
        let Hour { folder, path, compaction: before, version, files } = hour;
        let name = |file: &String| file.rsplit_once('/').map_or(file.clone(), |(_, name)| name.to_owned());
        let version_of = |name: &String| Some((name.clone(), files.get(name)?.version.clone()));
        let mut compaction = Compaction {
            made: merged.files.iter().map(name).collect(),
            replaced: inputs.iter().filter_map(version_of).collect(),
            rows: merged.rows,
            duplicates: merged.duplicates,
            is_written: false,
            is_done: false,
            begun: Timestamp::now(),
            kept: before.kept.union(&before.made).filter(|name| !inputs.contains(name)).cloned().collect(),
        };
        let Some(version) = self.write(&compaction, &path, version.as_deref()).await? else { return Ok(None) };
        for file in &merged.files {
            self.objects.put_file(file, &space.join(file)).await?;
        }
        compaction.is_written = true;
        let Some(version) = self.write(&compaction, &path, Some(&version)).await? else { return Ok(None) };
        Ok(Some(Hour { folder, path, compaction, version: Some(version), files }))
    }

    /// Removes what the written files replace, and says so on the bus. Who comes again begins here.
    async fn finish(&self, hour: Hour) -> Result<Option<CompactedHour>, StageError> {
        let Hour { folder, path, mut compaction, version, .. } = hour;
        let left = compaction.left_of_replaced(&all_row_files(&self.objects, &folder).await?);
        let remove = |name: &String| {
            let (file, version) = (format!("{folder}/{name}"), compaction.replaced.get(name).cloned());
            async move { self.remove_version(&file, version.as_deref()).await }
        };
        let removals: Vec<_> = left.iter().map(remove).collect();
        futures_util::stream::iter(removals).buffer_unordered(FILES_AT_ONCE).try_collect::<()>().await?;
        let done = CompactedHour {
            files: compaction.made.iter().map(|name| format!("{folder}/{name}")).collect(),
            rows: compaction.rows,
            duplicates: compaction.duplicates,
            replaced: compaction.replaced.len(),
            folder,
        };
        tracing::debug!(done.folder, done.rows, done.duplicates, done.replaced, "compacted");
        let done = tell(&*self.bus, STAGE, &done.folder.clone(), 1, Ok(done), |done| (path.clone(), done.rows)).await?;
        compaction.is_done = true;
        self.write(&compaction, &path, version.as_deref()).await?;
        Ok(Some(done))
    }

    /// Takes a file that is no rows of ours, of which there is a copy here, out of the tables, since queries would fail on it, and says so.
    async fn quarantine(&self, hour: &Hour, name: &str, copy: &Path, error: &str) -> Result<(), StageError> {
        let path = format!("{}/{name}", hour.folder);
        let quarantined = format!("quarantine/{path}");
        self.objects.put_file(&quarantined, copy).await?;
        let error = StageError::CompactionFailed(format!("{path}: {error}; it is moved to {quarantined}"));
        tell_failed(&*self.bus, STAGE, &path, 1, &error).await?;
        self.remove_version(&path, hour.files.get(name).map(|file| file.version.as_str())).await
    }

    /// Writes a compaction in the place of the one of this version; its own version, or none where there is another one.
    async fn write(
        &self,
        compaction: &Compaction,
        path: &str,
        version: Option<&str>,
    ) -> Result<Option<String>, StageError> {
        if !compaction.replace(&self.objects, path, version).await? {
            return Ok(None);
        }
        let found = Compaction::read(&self.objects, path).await?;
        Ok(found.filter(|(found, _)| found == compaction).map(|(_, version)| version))
    }

    /// Removes a file, unless it was written anew.
    async fn remove_version(&self, path: &str, version: Option<&str>) -> Result<(), StageError> {
        match self.objects.version(path).await {
            Ok(found) if Some(found.as_str()) == version => Ok(self.objects.delete(path).await?),
            Ok(_) | Err(GetError::Missing { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes files of an hour.
    async fn remove(&self, folder: &str, names: &BTreeSet<String>) -> Result<(), StageError> {
        let remove = |name: &String| {
            let path = format!("{folder}/{name}");
            async move { self.objects.delete(&path).await }
        };
        let removals: Vec<_> = names.iter().map(remove).collect();
        Ok(futures_util::stream::iter(removals).buffer_unordered(FILES_AT_ONCE).try_collect().await?)
    }
}

impl Hour {
    /// The files that may be compacted.
    fn row_files(&self) -> Vec<RowFile> {
        let file = |(name, file): (&String, &Listed)| RowFile {
            name: name.clone(),
            bytes: file.bytes,
            written: file.written,
            is_compacted: self.compaction.is_compacted(name),
        };
        self.files.iter().map(file).collect()
    }

    /// Names what becomes of files.
    fn hash(&self, names: &[String]) -> String {
        let mut hash = Xxh3::new();
        // After a run that was undone, whose files may still be being removed, others have other names.
        hash.update(self.version.as_deref().unwrap_or_default().as_bytes());
        for name in names {
            let version = self.files.get(name).map_or("", |file| &file.version);
            hash.update(format!("{name}\n{version}\n").as_bytes());
        }
        format!("{:016x}", hash.digest())
    }
}

/// Where a file is copied to.
fn input(space: &Path, index: usize) -> PathBuf {
    space.join(format!("input-{index}.parquet"))
}

/// Merges the files that were copied to a folder, in it; or which one is no file of rows, and why.
async fn merge(space: PathBuf, inputs: usize, stem: String) -> Result<Result<Compacted, (usize, String)>, StageError> {
    let merging = tokio::task::spawn_blocking(move || {
        let paths: Vec<PathBuf> = (0..inputs).map(|index| input(&space, index)).collect();
        let merged = compact(&paths, &stem, &mut Folder::new(&space), &space.join("passes"));
        match merged {
            Ok(merged) => Ok(Ok(merged)),
            Err(CompactError::Input { path, error }) => match paths.iter().position(|input| *input == path) {
                Some(index) => Ok(Err((index, error.to_string()))),
                None => Err(error.to_string()),
            },
            Err(CompactError::Local(error)) => Err(error.to_string()),
        }
    });
    merging.await.map_err(|error| StageError::Local(error.to_string()))?.map_err(StageError::Local)
}
