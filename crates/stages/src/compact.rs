//! The stage `compact`: the files of rows of an hour that is over → few, with their rows in order of time and each id once.
//!
//! The new files are made on this machine. Then [`Compaction`] says what is going to be replaced, the new files are written, it says that they are,
//! and the old ones go: a run that ends in between leaves each row where our readers find it once, and the next run ends what it
//! began. Of runs at the same time one goes on, by compare-and-swap.

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

/// An hour that no run is writing to.
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
        let earliest = now.as_second().div_euclid(3_600) - LOOK_BACK_HOURS;
        let hours = hours_of_rows(&self.objects, earliest).await.unwrap_or_else(|error| {
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
        let Some(outcome) = self.compact(hour, &folder, now).await.transpose() else { return Ok(None) };
        if let Ok(CompactedHour { files, rows, duplicates, replaced, .. }) = &outcome {
            tracing::debug!(folder, files = files.len(), rows, duplicates, replaced, "compacted");
        }
        let became = |done: &CompactedHour| (Compaction::path(&folder), done.rows);
        tell(&*self.bus, STAGE, &folder, 1, outcome, became).await.map(Some)
    }

    /// Compacts what is due of an hour; none where nothing is, or another run is at it.
    async fn compact(&self, hour: i64, folder: &str, now: Timestamp) -> Result<Option<CompactedHour>, StageError> {
        loop {
            let Some(state) = self.settled(folder).await? else { return Ok(None) };
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
                Ok(merged) => return self.commit(state, &inputs, merged, space.path()).await,
                Err((index, error)) => {
                    let path = format!("{folder}/{}", inputs[index]);
                    let error = StageError::CompactionFailed(format!("{path}: {error}"));
                    tell_failed(&*self.bus, STAGE, &path, 1, &error).await?;
                    if !self.leave(state, &inputs[index]).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The hour, after what an earlier run has not ended: none where one is at it.
    async fn settled(&self, folder: &str) -> Result<Option<Hour>, StageError> {
        let path = Compaction::path(folder);
        let found = Compaction::read(&self.objects, &path).await?;
        let mut files = all_row_files(&self.objects, folder).await?;
        let (mut compaction, mut version) = match found {
            Some((compaction, version)) => (compaction, Some(version)),
            None => (Compaction { is_written: true, ..Compaction::default() }, None),
        };
        if !compaction.is_written {
            if compaction.begun.checked_add(LEASE).is_ok_and(|end| end > Timestamp::now()) {
                return Ok(None);
            }
            let is_all_there = compaction.made.iter().all(|made| files.contains_key(made));
            let mut made = BTreeSet::new();
            if !is_all_there {
                made = std::mem::take(&mut compaction.made);
                compaction.replaced.clear();
            }
            compaction.is_written = true;
            version = self.write(&compaction, &path, version.as_deref()).await?;
            if version.is_none() {
                return Ok(None);
            }
            self.remove(folder, &made).await?;
            files.retain(|name, _| !made.contains(name));
        }
        let left = compaction.left_of_replaced(&files);
        self.remove(folder, &left).await?;
        files.retain(|name, _| !left.contains(name));
        Ok(Some(Hour { folder: folder.to_owned(), path, compaction, version, files }))
    }

    /// Copies files of an hour to this machine; false where one is gone or was replaced.
    async fn fetch(&self, hour: &Hour, names: &[String], space: &Path) -> Result<bool, StageError> {
        let fetch = |(index, name): (usize, &String)| {
            let (path, copy) = (format!("{}/{name}", hour.folder), input(space, index));
            let expected = hour.files.get(name).map(|file| file.version.clone());
            async move {
                let object = match self.objects.get(&path).await {
                    Err(GetError::Missing { .. }) => return Ok(false),
                    object => object?,
                };
                if expected.is_none_or(|version| version != object.version) {
                    return Ok(false);
                }
                space::copied(object, &path, move || File::create(copy)).await?;
                Ok::<bool, StageError>(true)
            }
        };
        let copies: Vec<_> = names.iter().enumerate().map(fetch).collect();
        let are_copied: Vec<bool> =
            futures_util::stream::iter(copies).buffer_unordered(FILES_AT_ONCE).try_collect().await?;
        Ok(are_copied.into_iter().all(|is_copied| is_copied))
    }

    /// Puts merged files in the place of those that they were made of; none where another run was faster.
    async fn commit(
        &self,
        hour: Hour,
        inputs: &[String],
        merged: Compacted,
        space: &Path,
    ) -> Result<Option<CompactedHour>, StageError> {
        let Hour { folder, path, compaction: before, version, files } = hour;
        let name = |file: &String| file.rsplit_once('/').map_or(file.clone(), |(_, name)| name.to_owned());
        let version_of = |name: &String| Some((name.clone(), files.get(name)?.version.clone()));
        let mut compaction = Compaction {
            made: merged.files.iter().map(name).collect(),
            replaced: inputs.iter().filter_map(version_of).collect(),
            is_written: false,
            begun: Timestamp::now(),
            kept: before.kept.union(&before.made).filter(|name| !inputs.contains(name)).cloned().collect(),
            unreadable: before.unreadable,
        };
        let Some(version) = self.write(&compaction, &path, version.as_deref()).await? else { return Ok(None) };
        for file in &merged.files {
            self.objects.put_file(file, &space.join(file)).await?;
        }
        compaction.is_written = true;
        if self.write(&compaction, &path, Some(&version)).await?.is_none() {
            return Ok(None);
        }
        let left = compaction.left_of_replaced(&all_row_files(&self.objects, &folder).await?);
        self.remove(&folder, &left).await?;
        let Compacted { files, rows, duplicates } = merged;
        Ok(Some(CompactedHour { folder, files, rows, duplicates, replaced: inputs.len() }))
    }

    /// Notes that a file is no rows of ours, and stays; false where another run wrote.
    async fn leave(&self, hour: Hour, name: &str) -> Result<bool, StageError> {
        let Hour { path, mut compaction, version, files, .. } = hour;
        let left = files.get(name).map(|file| (name.to_owned(), file.version.clone()));
        compaction.unreadable.extend(left);
        Ok(self.write(&compaction, &path, version.as_deref()).await?.is_some())
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
        let files =
            self.files.iter().filter(|(name, file)| self.compaction.unreadable.get(*name) != Some(&file.version));
        let file = |(name, file): (&String, &Listed)| RowFile {
            name: name.clone(),
            bytes: file.bytes,
            written: file.written,
            is_compacted: self.compaction.is_compacted(name),
        };
        files.map(file).collect()
    }

    /// Names what becomes of files: the same of the same.
    fn hash(&self, names: &[String]) -> String {
        let mut hash = Xxh3::new();
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
