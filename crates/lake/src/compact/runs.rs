//! Sorted runs: row groups of a file, one after the other in order of time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::types::Int64Type;
use arrow_array::{PrimitiveArray, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::CompactError;
use crate::read::{ReadError, numbers, texts};
use crate::schema::schema;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 1_024;

/// What an open run takes at least: an open file and its columns' buffers.
const RUN_BYTES: u64 = 1 << 20;

/// Row groups of a file of which none begins before the one before has ended.
#[derive(Debug, Clone)]
pub(super) struct Run {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    groups: Vec<usize>,
    /// The time of its first row, in Unix microseconds.
    pub(super) first: i64,
    /// The time of its last row.
    pub(super) last: i64,
    /// Bytes that reading it takes: those of its largest row group, uncompressed.
    pub(super) bytes: u64,
}

/// The fewest runs that a file's row groups make.
///
/// # Errors
/// [`CompactError::Input`] where it is no file of rows, [`CompactError::Local`] where it cannot be opened.
pub(super) fn runs_of(path: &Path) -> Result<Vec<Run>, CompactError> {
    let file = File::open(path)?;
    let unreadable = |error| CompactError::Input { path: path.to_owned(), error };
    let metadata = guarded(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(ReadError::from));
    let metadata = metadata.map_err(unreadable)?;
    let schema = schema();
    for (found, column) in metadata.schema().fields().iter().zip(schema.fields()) {
        if found != column {
            return Err(unreadable(ReadError::Content(format!("the column {} is of another type", column.name()))));
        }
    }
    if metadata.schema().fields().len() != schema.fields().len() {
        return Err(unreadable(ReadError::Content("there are other columns".to_owned())));
    }
    let time = schema.index_of("time").map_err(|error| unreadable(error.into()))?;
    let groups = metadata.metadata().row_groups().iter().enumerate().filter(|(_, group)| group.num_rows() > 0);
    let mut groups: Vec<(i64, i64, usize, u64)> = groups
        .map(|(index, group)| {
            let (first, last) = times(group, time);
            (first, last, index, u64::try_from(group.total_byte_size()).unwrap_or_default())
        })
        .collect();
    groups.sort_unstable();
    let mut runs: Vec<Run> = Vec::new();
    for (first, last, group, bytes) in groups {
        let bytes = bytes.max(RUN_BYTES);
        // The one that ends last of those that it may follow.
        if let Some(run) = runs.iter_mut().filter(|run| run.last <= first).max_by_key(|run| run.last) {
            run.groups.push(group);
            run.last = last;
            run.bytes = run.bytes.max(bytes);
        } else {
            let (path, metadata) = (path.to_owned(), metadata.clone());
            runs.push(Run { path, metadata, groups: vec![group], first, last, bytes });
        }
    }
    Ok(runs)
}

/// The times of a row group's first row and of its last; all times where it does not say.
fn times(group: &RowGroupMetaData, time: usize) -> (i64, i64) {
    match group.columns().get(time).and_then(|column| column.statistics()) {
        Some(Statistics::Int64(statistics)) => {
            (statistics.min_opt().copied().unwrap_or(i64::MIN), statistics.max_opt().copied().unwrap_or(i64::MAX))
        }
        _ => (i64::MIN, i64::MAX),
    }
}

/// Bytes that the runs take that are open at the same time, where that is most.
pub(super) fn peak_bytes<'r>(runs: impl IntoIterator<Item = &'r Run>) -> u64 {
    // Where one begins when another one ends, both are open.
    let runs = runs.into_iter().flat_map(|run| [(run.first, 0, run.bytes), (run.last, 1, run.bytes)]);
    let mut changes: Vec<(i64, u8, u64)> = runs.collect();
    changes.sort_unstable();
    let (mut open, mut peak) = (0, 0);
    for (_, is_end, bytes) in changes {
        open = if is_end == 1 { open - bytes } else { open + bytes };
        peak = peak.max(open);
    }
    peak
}

/// A run that is being read, at one of its rows.
pub(super) struct Cursor {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    /// The rows that were decoded last.
    pub(super) batch: RecordBatch,
    times: PrimitiveArray<Int64Type>,
    lines: PrimitiveArray<Int64Type>,
    ids: StringArray,
    /// The row in the batch.
    pub(super) row: usize,
}

impl Cursor {
    /// At the first row of a run.
    pub(super) fn open(run: Run) -> Result<Option<Self>, CompactError> {
        let file = File::open(&run.path)?;
        let unreadable = |error| CompactError::Input { path: run.path.clone(), error };
        let reader = guarded(|| {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, run.metadata);
            builder.with_row_groups(run.groups).with_batch_size(BATCH_ROWS).build().map_err(ReadError::from)
        });
        let mut reader = reader.map_err(unreadable)?;
        let Some(batch) = next_batch(&mut reader).map_err(unreadable)? else { return Ok(None) };
        let (times, lines, ids) = columns(&batch).map_err(unreadable)?;
        Ok(Some(Self { path: run.path, reader, batch, times, lines, ids, row: 0 }))
    }

    /// Where the row stands: its time, in nanoseconds, and its line.
    pub(super) fn place(&self) -> (i64, i64) {
        (self.times.value(self.row), self.lines.value(self.row))
    }

    /// The row's id.
    pub(super) fn id(&self) -> &str {
        self.ids.value(self.row)
    }

    /// Goes to the next row of the batch; false where there is none.
    pub(super) fn next_row(&mut self) -> bool {
        self.row += 1;
        self.row < self.batch.num_rows()
    }

    /// Goes to the first row of the next batch; false where there is none.
    pub(super) fn next_batch(&mut self) -> Result<bool, CompactError> {
        let unreadable = |error| CompactError::Input { path: self.path.clone(), error };
        let Some(batch) = next_batch(&mut self.reader).map_err(unreadable)? else { return Ok(false) };
        (self.times, self.lines, self.ids) = columns(&batch).map_err(unreadable)?;
        (self.batch, self.row) = (batch, 0);
        Ok(true)
    }
}

type Compared = (PrimitiveArray<Int64Type>, PrimitiveArray<Int64Type>, StringArray);

fn columns(batch: &RecordBatch) -> Result<Compared, ReadError> {
    Ok((numbers(batch, "time_ns")?.clone(), numbers(batch, "line")?.clone(), texts(batch, "id")?.clone()))
}

fn next_batch(reader: &mut ParquetRecordBatchReader) -> Result<Option<RecordBatch>, ReadError> {
    loop {
        match guarded(|| reader.next().transpose().map_err(ReadError::from))? {
            Some(batch) if batch.num_rows() == 0 => {}
            batch => return Ok(batch),
        }
    }
}

/// Some damaged files make their decoder panic: that is an error as others are.
fn guarded<T>(read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ReadError::Content("its decoder has panicked".to_owned())))
}
