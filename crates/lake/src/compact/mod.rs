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

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::merge::merge;
use self::output::Output;
pub use self::plan::{CompactLimits, RowFile, plan};
use self::runs::{Run, peak_bytes, runs_of};
use crate::folder::Folder;
use crate::parquet::Files;
use crate::read::ReadError;

/// Bytes of row groups, uncompressed, that are read at the same time.
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
    let mut runs = VecDeque::new();
    for path in inputs {
        runs.extend(runs_of(path)?);
    }
    let mut duplicates = 0;
    let mut pass = 0;
    // Each pass leaves fewer runs, or there are files whose rows are not in order.
    let passes = runs.len();
    while pass < passes && runs.len() > 1 && peak_bytes(&runs) > memory_limit {
        let mut folder = Folder::new(space);
        let mut output = Output::new(&mut folder, format!("{PASS}{pass}"), u64::MAX);
        duplicates += merge(first_runs(&mut runs, memory_limit), &mut output)?;
        for path in output.finish()?.0 {
            runs.extend(runs_of(&space.join(path))?);
        }
        pass += 1;
    }
    let mut output = Output::new(files, stem.to_owned(), output::FILE_BYTES);
    duplicates += merge(runs.into(), &mut output)?;
    let (files, rows) = output.finish()?;
    Ok(Compacted { files, rows, duplicates })
}

/// Takes runs from the front that may be read at the same time: at least two, so that there are fewer after each pass.
fn first_runs(runs: &mut VecDeque<Run>, memory_limit: u64) -> Vec<Run> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    while let Some(run) = runs.pop_front() {
        bytes += run.bytes;
        if taken.len() >= 2 && bytes > memory_limit {
            runs.push_front(run);
            break;
        }
        taken.push(run);
    }
    taken
}
