//! Cleaned rows as Parquet, a file an hour of the rows' own time, in bounded memory.
//!
//! A file's name derives from the source's, so that cleaning an object again writes the same files. Row groups are sorted
//! by time; a group ends where the order would break, or at its size.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use parquet::arrow::ArrowSchemaConverter;
use parquet::file::writer::SerializedFileWriter;
use xxhash_rust::xxh3::xxh3_64;

use crate::batch::Batch;
use crate::clean::{Quarantined, Sink, Source};
use crate::columns::Columns;
use crate::encode::Compressor;
use crate::hour::hour_folder;
use crate::properties::properties;
use crate::quarantine::Quarantine;
use crate::schema::{COLUMNS, Column, schema_of};

/// Files that are open at once; the one that was longest without a row is closed, and a further one begins for its hour.
const OPEN_LIMIT: usize = 16;

/// Bytes of a row group, encoded, in memory.
pub(crate) const ROW_GROUP_BYTES: usize = 16 << 20;

/// Batches without a row of its hour after which a file gives its memory back: it may have no further one.
const IDLE_BATCHES: u64 = 16;

/// Bytes that all files together hold in memory.
const MEMORY_LIMIT: usize = 48 << 20;

/// Rows of a row group.
pub(crate) const ROW_GROUP_ROWS: usize = 100_000;

/// Seconds in an hour.
pub(crate) const HOUR: i64 = 3_600;

/// Where files are made.
pub trait Files {
    /// Begins a file at `path`, relative to the lake, which replaces an older one once it is finished.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    fn create(&mut self, path: &str) -> io::Result<Box<dyn OutputFile>>;
}

/// A file that is being written.
pub trait OutputFile: Write + Send {
    /// Makes the file visible, whole.
    ///
    /// # Errors
    ///
    /// Where its last bytes cannot be written.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A file of an hour.
struct Open {
    file: SerializedFileWriter<Box<dyn OutputFile>>,
    /// The row group that is being written.
    columns: Columns,
    /// Time of the last row.
    last: i64,
    /// The batch that wrote to it last.
    used: u64,
}

impl Open {
    fn is_full(&self) -> bool {
        self.columns.size() > ROW_GROUP_BYTES || self.columns.rows() > ROW_GROUP_ROWS
    }

    fn end_row_group(&mut self, compressor: &mut Compressor) -> io::Result<()> {
        if self.columns.rows() == 0 {
            return Ok(());
        }
        let mut row_group = self.file.next_row_group()?;
        for column in self.columns.finish(compressor) {
            column?.append_to(&mut row_group)?;
        }
        row_group.close()?;
        Ok(())
    }

    /// Ends the row group and gives its memory back.
    fn release(&mut self, compressor: &mut Compressor) -> io::Result<()> {
        self.end_row_group(compressor)?;
        self.columns = Columns::new(self.file.schema_descr())?;
        Ok(())
    }

    fn close(mut self, compressor: &mut Compressor) -> io::Result<()> {
        self.end_row_group(compressor)?;
        self.file.into_inner()?.finish()
    }
}

/// Writes rows and quarantined lines of one source into the lake.
pub struct LakeWriter<'f> {
    files: &'f mut dyn Files,
    /// The first part of the files' names.
    name: String,
    compressor: Compressor,
    open: BTreeMap<i64, Open>,
    /// Files begun, by hour.
    parts: BTreeMap<i64, u32>,
    paths: Vec<String>,
    batches: u64,
    quarantine: Option<Quarantine>,
}

impl<'f> LakeWriter<'f> {
    /// A writer for the rows of this source.
    pub fn new(files: &'f mut dyn Files, source: &Source) -> Self {
        Self {
            files,
            name: file_name(source),
            compressor: Compressor::default(),
            open: BTreeMap::new(),
            parts: BTreeMap::new(),
            paths: Vec::new(),
            batches: 0,
            quarantine: None,
        }
    }

    /// Finishes all files; returns their paths, relative to the lake.
    ///
    /// # Errors
    ///
    /// Where one could not be written.
    pub fn finish(mut self) -> io::Result<Vec<String>> {
        for (_, open) in std::mem::take(&mut self.open) {
            open.close(&mut self.compressor)?;
        }
        if let Some(quarantine) = self.quarantine {
            self.paths.push(quarantine.finish()?);
        }
        self.paths.sort();
        Ok(self.paths)
    }

    /// Opens the hour's file, unless it is open.
    fn open(&mut self, hour: i64) -> io::Result<()> {
        if !self.open.contains_key(&hour) {
            if self.open.len() >= OPEN_LIMIT {
                let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(&hour, _)| hour);
                if let Some(open) = oldest.and_then(|hour| self.open.remove(&hour)) {
                    open.close(&mut self.compressor)?;
                }
            }
            let part = self.parts.entry(hour).or_default();
            let path = format!("{}/{}-{part}.parquet", hour_folder("cleaned", hour)?, self.name);
            *part += 1;
            let file = self.files.create(&path)?;
            self.paths.push(path);
            let file = file_writer(file, &COLUMNS)?;
            let columns = Columns::new(file.schema_descr())?;
            self.open.insert(hour, Open { file, columns, last: i64::MIN, used: self.batches });
        }
        Ok(())
    }
}

impl LakeWriter<'_> {
    /// Ends the row groups of files that no row has come for, and then of those that hold most, until all together hold less
    /// than the limit.
    fn bound_memory(&mut self) -> io::Result<()> {
        for open in self.open.values_mut() {
            if open.columns.rows() > 0 && open.used + IDLE_BATCHES < self.batches {
                open.release(&mut self.compressor)?;
            }
        }
        let mut held: usize = self.open.values().map(|open| open.columns.memory()).sum();
        while held > MEMORY_LIMIT {
            let largest = self.open.values_mut().max_by_key(|open| open.columns.memory());
            let Some(largest) = largest.filter(|open| open.columns.rows() > 0) else { break };
            held -= largest.columns.memory();
            largest.release(&mut self.compressor)?;
        }
        Ok(())
    }
}

impl Sink for LakeWriter<'_> {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        self.batches += 1;
        let order = batch.by_time();
        let row = |index: &u32| batch.rows().get(*index as usize);
        let hour = |index: &u32| row(index).map_or(0, |row| row.time.div_euclid(HOUR * 1_000_000_000));
        for group in order.chunk_by(|left, right| hour(left) == hour(right)) {
            let (Some(first), Some(last)) = (group.first().and_then(row), group.last().and_then(row)) else { continue };
            self.open(group.first().map_or(0, hour))?;
            let Some(open) = group.first().and_then(|index| self.open.get_mut(&hour(index))) else { continue };
            if first.time < open.last || open.is_full() {
                open.end_row_group(&mut self.compressor)?;
            }
            open.columns.append(batch, group.iter().filter_map(row), &source.name, &mut self.compressor)?;
            open.last = last.time;
            open.used = self.batches;
            self.bound_memory()?;
        }
        Ok(())
    }

    fn quarantine(&mut self, line: Quarantined<'_>, source: &Source) -> io::Result<()> {
        let quarantine = match &mut self.quarantine {
            Some(quarantine) => quarantine,
            none => none.insert(Quarantine::create(self.files, &self.name)?),
        };
        quarantine.write(line, source)
    }
}

/// A file whose columns are written by themselves: Arrow's own writer is in no program that does not compact.
///
/// # Errors
///
/// Where its beginning cannot be written.
pub(crate) fn file_writer<W: Write + Send>(file: W, columns: &[Column]) -> io::Result<SerializedFileWriter<W>> {
    let schema = ArrowSchemaConverter::new().convert(&schema_of(columns))?;
    let properties = Arc::new(properties(columns)?.build());
    Ok(SerializedFileWriter::new(file, schema.root_schema_ptr(), properties)?)
}

/// The first part of the names of a source's files: the end of the source's name as far as all tools read it in a path, and its identity's
/// hash, so that equal ends stay apart.
pub fn file_name(source: &Source) -> String {
    const LENGTH: usize = 40;
    let last = source.name.rsplit('/').next().unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default();
    let stem: String = stem
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        .take(LENGTH)
        .collect();
    let stem = if stem.contains(|letter: char| letter.is_alphanumeric()) { &stem } else { "log" };
    format!("{stem}-{:016x}", xxh3_64(source.identity.as_bytes()))
}
