//! What a backfill has before it: the raw objects below a prefix, and how many bytes of lines are in them.

use std::collections::HashSet;
use std::io::{self, BufReader, Read};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use millrace_lake::{Batch, CleanError, Quarantined, Report, Sink, Source, clean, file_name};
use millrace_objects::Objects;
use xxhash_rust::xxh3::xxh3_64;

use crate::clean::source;
use crate::error::StageError;
use crate::manifest::Manifest;

/// How many objects are looked into, at most.
const SAMPLE_LIMIT: usize = 16;

/// How many bytes of one are read, as stored.
const SAMPLE_BYTES: u64 = 4 << 20;

/// The raw objects below a prefix. Empty ones, such as S3's console makes as folders, are none.
#[derive(Debug, Clone, PartialEq)]
pub struct RawObjects {
    /// How many there are.
    pub objects: u64,
    /// Their bytes, as stored.
    pub stored_bytes: u64,
    /// How many of them have a manifest: they are left as they are, unless their content is another one.
    pub cleaned: u64,
    /// Bytes of those without a manifest, as stored.
    pub left_bytes: u64,
    /// Bytes of lines for a byte as stored, in the objects that were looked into.
    pub expansion: f64,
    /// How many were looked into.
    pub sampled: usize,
    /// How many of those that were to be looked into could not be read, such as archived ones.
    pub unreadable: usize,
}

impl RawObjects {
    /// Lists the objects below a prefix (a folder), and looks into some that lie evenly among them. `listed` is called with how many
    /// objects and manifests are listed.
    ///
    /// # Errors
    /// [`StageError`] where the lake cannot be listed, or none of the objects can be read that are looked into.
    pub async fn below(objects: &Objects, prefix: &str, mut listed: impl FnMut(u64)) -> Result<Self, StageError> {
        let mut count = 0;
        let mut next = || {
            count += 1;
            listed(count);
        };
        // Of millions of names their hashes.
        let mut manifests = HashSet::new();
        let mut all = objects.list_below("stages/clean");
        while let Some((path, _)) = all.try_next().await? {
            manifests.insert(xxh3_64(path.as_bytes()));
            next();
        }
        let mut found =
            Self { objects: 0, stored_bytes: 0, cleaned: 0, left_bytes: 0, expansion: 1.0, sampled: 0, unreadable: 0 };
        let mut sample = Sample { every: 1, paths: Vec::new() };
        let mut all = objects.list_below(prefix);
        while let Some((path, object)) = all.try_next().await? {
            next();
            if object.bytes == 0 {
                continue;
            }
            let manifest = Manifest::path(&file_name(&source(&path, Timestamp::UNIX_EPOCH)));
            if manifests.contains(&xxh3_64(manifest.as_bytes())) {
                found.cleaned += 1;
            } else {
                found.left_bytes += object.bytes;
            }
            sample.take(found.objects, path);
            found.objects += 1;
            found.stored_bytes += object.bytes;
        }
        found.look_into(objects, &sample.paths).await?;
        Ok(found)
    }

    /// Looks into some of the objects, passing over those that cannot be read.
    async fn look_into(&mut self, objects: &Objects, paths: &[String]) -> Result<(), StageError> {
        let (mut stored, mut lines, mut last) = (0, 0, None);
        for path in paths {
            let object = match objects.get(path).await {
                Ok(object) => object,
                Err(error) => {
                    self.unreadable += 1;
                    last = Some(error);
                    continue;
                }
            };
            let source = source(path, object.written);
            let read = tokio::task::spawn_blocking(move || look_into(object.reader, &source)).await;
            let (of_stored, of_lines) = read.map_err(|error| StageError::Local(error.to_string()))?;
            stored += of_stored;
            lines += of_lines;
            self.sampled += 1;
        }
        match last {
            Some(error) if self.sampled == 0 => {
                let sampled = self.unreadable;
                return Err(StageError::S3Unavailable(format!(
                    "none of {sampled} sampled objects can be read (archived ones have to be restored first), the last: {error}"
                )));
            }
            _ => {}
        }
        if stored > 0 {
            self.expansion = bytes(lines) / bytes(stored);
        }
        Ok(())
    }

    /// Bytes of lines of those without a manifest, as far as can be told from the sample.
    pub fn line_bytes(&self) -> f64 {
        bytes(self.left_bytes) * self.expansion
    }
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn bytes(count: u64) -> f64 {
    count as f64
}

/// Objects that lie evenly in a list of unknown length: each so many-th, and half of them whenever there are too many.
struct Sample {
    every: u64,
    paths: Vec<String>,
}

impl Sample {
    fn take(&mut self, index: u64, path: String) {
        if !index.is_multiple_of(self.every) {
            return;
        }
        if self.paths.len() == SAMPLE_LIMIT {
            let mut index = 0;
            self.paths.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every *= 2;
        }
        self.paths.push(path);
    }
}

/// How many bytes of an object are read, as stored, and how many bytes of lines those are.
fn look_into(object: impl Read, source: &Source) -> (u64, u64) {
    let mut part = object.take(SAMPLE_BYTES);
    let report = match clean(BufReader::new(&mut part), source, &mut Unwritten) {
        Ok(report) => report,
        Err(CleanError::Read { report, .. }) => *report,
        Err(CleanError::Write { .. }) => Report::default(),
    };
    (SAMPLE_BYTES - part.limit(), report.bytes)
}

/// Rows that are counted, and go nowhere.
struct Unwritten;

impl Sink for Unwritten {
    fn rows(&mut self, _: &Batch, _: &Source) -> io::Result<()> {
        Ok(())
    }

    fn quarantine(&mut self, _: Quarantined<'_>, _: &Source) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_lies_evenly_whatever_the_length() {
        for length in [0_u64, 1, 15, 16, 17, 1_000, 99_999] {
            let mut sample = Sample { every: 1, paths: Vec::new() };
            (0..length).for_each(|index| sample.take(index, index.to_string()));
            let taken: Vec<u64> = sample.paths.iter().map(|path| path.parse().unwrap()).collect();
            let is_even = taken.iter().enumerate().all(|(place, index)| *index == place as u64 * sample.every);
            assert!(is_even, "{length}: {taken:?}");
            let least = usize::try_from(length).unwrap().min(SAMPLE_LIMIT / 2);
            assert!((least..=SAMPLE_LIMIT).contains(&taken.len()), "{length}: {taken:?}");
        }
    }

    /// What fails for now is tried again by the state machine, and what fails for good is not.
    #[test]
    fn a_backfill_retries_transient_states() {
        let machine = include_str!("../../../infra/modules/backfill/states.json");
        let text = String::new;
        for error in [
            StageError::KafkaUnavailable(text()),
            StageError::S3Unavailable(text()),
            StageError::BusUnavailable(text()),
            StageError::Local(text()),
            StageError::S3MissingFile(text()),
            StageError::ObjectName(text()),
        ] {
            let is_retried = machine.contains(&format!("\"{}\"", error.state()));
            assert_eq!(is_retried, error.class() == millrace_domain::ErrorClass::Transient, "{}", error.state());
        }
    }
}
