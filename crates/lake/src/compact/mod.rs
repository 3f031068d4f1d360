//! Compaction: the files of rows of an hour become few, with their rows in order of time and each id once.
//!
//! Row groups are sorted by time, so files are merged as sorted runs are, in bounded memory: a run is opened when its first row is
//! next. Records that were delivered twice have the same time, so that the second is found among the rows around it.

mod merge;
mod output;
mod plan;
mod runs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::merge::merge;
use self::output::Output;
pub use self::plan::{CompactLimits, RowFile, plan};
use self::runs::{Run, peak, runs_of};
use crate::folder::Folder;
use crate::parquet::Files;
use crate::read::ReadError;

/// Bytes of memory that reading takes, and beside it what is written.
const MEMORY_LIMIT: u64 = 192 << 20;

/// The name, without its number, of what an intermediate pass writes.
const PASS: &str = "pass";

/// What compaction wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The files, relative to the lake, in order of their rows' time.
    pub files: Vec<String>,
    /// How many rows they have.
    pub rows: u64,
    /// How many rows were left out, whose id another one has.
    pub duplicates: u64,
}

/// Why files were not compacted.
#[derive(Debug, Error)]
pub enum CompactError {
    /// A file of rows cannot be read.
    #[error("{}: {error}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: ReadError,
    },
    /// What they become cannot be written, or a file of rows not be opened.
    #[error("{0}")]
    Local(#[from] io::Error),
}

/// Merges files of rows of an hour into files `STEM-N.parquet`, `N` from 0, each of about 192 MiB. Of rows with one id the first in order
/// of time stays, among the last 1,048,576. `space` is a folder for what intermediate passes write, of which there are some where
/// many row groups are of the same time.
///
/// # Errors
/// [`CompactError`]; files that were written before stay.
pub fn compact(inputs: &[PathBuf], stem: &str, files: &mut dyn Files, space: &Path) -> Result<Compacted, CompactError> {
    compact_within(inputs, stem, files, space, MEMORY_LIMIT)
}

fn compact_within(
    inputs: &[PathBuf],
    stem: &str,
    files: &mut dyn Files,
    space: &Path,
    memory_limit: u64,
) -> Result<Compacted, CompactError> {
    let mut runs = Vec::new();
    for path in inputs {
        runs.extend(runs_of(path)?);
    }
    let mut duplicates = 0;
    // Each pass leaves fewer runs, or there are files whose rows are not in order.
    for pass in 0..runs.len() {
        let (peak_bytes, open) = peak(&runs);
        if peak_bytes <= memory_limit || open.len() < 2 {
            break;
        }
        let taken = take(&mut runs, &open, memory_limit);
        let read: BTreeSet<PathBuf> = taken.iter().map(|run| run.path().to_owned()).collect();
        let mut folder = Folder::new(space);
        let mut output = Output::new(&mut folder, format!("{PASS}{pass}"), u64::MAX);
        duplicates += merge(taken, &mut output)?;
        for path in output.finish()?.0 {
            runs.extend(runs_of(&space.join(path))?);
        }
        // What an earlier pass wrote has been read.
        for path in read.iter().filter(|path| path.starts_with(space) && !inputs.contains(path)) {
            if runs.iter().all(|run| run.path() != *path) {
                std::fs::remove_file(path)?;
            }
        }
    }
    let mut output = Output::new(files, stem.to_owned(), output::FILE_BYTES);
    duplicates += merge(runs, &mut output)?;
    let (files, rows) = output.finish()?;
    Ok(Compacted { files, rows, duplicates })
}

/// Takes of the runs that are open at the same time as many as are within the limit: at least two, so that there are fewer after each pass.
fn take(runs: &mut Vec<Run>, open: &[usize], memory_limit: u64) -> Vec<Run> {
    let mut bytes = 0;
    let within = open.iter().enumerate().take_while(|(taken, number)| {
        bytes += runs[**number].bytes;
        *taken < 2 || bytes <= memory_limit
    });
    let numbers: Vec<usize> = within.map(|(_, &number)| number).collect();
    // From the last one on, so that the others keep their numbers.
    numbers.into_iter().rev().map(|number| runs.remove(number)).collect()
}
