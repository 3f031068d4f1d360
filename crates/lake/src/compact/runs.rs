//! Sorted runs: row groups of a file, one after the other in order of time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, StringArray, new_null_array};
use arrow_schema::{FieldRef, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::CompactError;
use crate::read::ReadError;
use crate::schema::schema;

/// Rows that are decoded at once, at most.
const BATCH_ROWS: u64 = 1_024;

/// Bytes of the texts that are decoded at once, about: rows may be of a megabyte.
const BATCH_BYTES: u64 = 4 << 20;

/// What a reader holds of a column beside its batch: a page, and the page of its dictionary.
const COLUMN_BYTES: u64 = 2 << 20;

/// What an open run takes at least: an open file and its columns' buffers.
const RUN_BYTES: u64 = 1 << 20;

/// Row groups of a file of which none begins before the one before has ended.
#[derive(Debug, Clone)]
pub(super) struct Run {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    groups: Vec<usize>,
    batch_rows: u64,
    /// The time of its first row, in Unix nanoseconds.
    pub(super) first: i64,
    /// The time of its last row.
    pub(super) last: i64,
    /// Bytes of memory that reading it takes.
    pub(super) bytes: u64,
}

impl Run {
    /// The file that it is in.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    first: i64,
    last: i64,
    index: usize,
    batch_rows: u64,
    bytes: u64,
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
    let (schema, found) = (schema(), metadata.schema());
    let mut more = None;
    for field in found.fields() {
        match schema.field_with_name(field.name()) {
            Ok(column) if column == &**field => {}
            Ok(column) => {
                return Err(unreadable(ReadError::Content(format!("the column {} is of another type", column.name()))));
            }
            Err(_) => more = Some(field.name().clone()),
        }
    }
    // A file of an earlier version has fewer columns, of which rows need not have a value.
    let is_missing = |column: &&FieldRef| found.index_of(column.name()).is_err() && !column.is_nullable();
    if let Some(column) = schema.fields().iter().find(is_missing) {
        return Err(unreadable(ReadError::Content(format!("the column {} is missing", column.name()))));
    }
    if let Some(column) = more {
        // A later version may have written it: it stays, and is merged once this one is that version.
        let problem = format!("{}: its column {column} is none of this version", path.display());
        return Err(CompactError::Local(std::io::Error::other(problem)));
    }
    let time = found.index_of("time_ns").map_err(|error| unreadable(error.into()))?;
    let groups = metadata.metadata().row_groups().iter().enumerate().filter(|(_, group)| group.num_rows() > 0);
    let mut groups: Vec<Group> = groups.map(|(index, group)| row_group(index, group, time)).collect();
    groups.sort_unstable();
    let mut runs: Vec<Run> = Vec::new();
    for Group { first, last, index, batch_rows, bytes } in groups {
        // The one that ends last of those that it may follow.
        if let Some(run) = runs.iter_mut().filter(|run| run.last <= first).max_by_key(|run| run.last) {
            run.groups.push(index);
            run.last = last;
            run.batch_rows = run.batch_rows.min(batch_rows);
            run.bytes = run.bytes.max(bytes);
        } else {
            let (path, metadata) = (path.to_owned(), metadata.clone());
            runs.push(Run { path, metadata, groups: vec![index], batch_rows, first, last, bytes });
        }
    }
    Ok(runs)
}

/// A row group: the times of its first row and of its last (all times where it does not say), and what reading it takes.
fn row_group(index: usize, group: &RowGroupMetaData, time: usize) -> Group {
    let (first, last) = match group.columns().get(time).and_then(|column| column.statistics()) {
        Some(Statistics::Int64(statistics)) => {
            (statistics.min_opt().copied().unwrap_or(i64::MIN), statistics.max_opt().copied().unwrap_or(i64::MAX))
        }
        _ => (i64::MIN, i64::MAX),
    };
    let (mut decoded, mut held) = (0, 0);
    for column in group.columns() {
        let encoded = u64::try_from(column.uncompressed_size()).unwrap_or_default();
        let texts = column.unencoded_byte_array_data_bytes().and_then(|bytes| u64::try_from(bytes).ok());
        decoded += texts.unwrap_or_default().max(encoded);
        // A map's dictionary is as large as it gets.
        let is_map = column.column_path().parts().len() > 1;
        held += if is_map { encoded } else { encoded.min(COLUMN_BYTES) };
    }
    let rows = u64::try_from(group.num_rows()).unwrap_or(1).max(1);
    let row = (decoded / rows).max(1);
    let batch_rows = (BATCH_BYTES / row).clamp(1, BATCH_ROWS);
    let bytes = (held + row * batch_rows.min(rows)).max(RUN_BYTES);
    Group { first, last, index, batch_rows, bytes }
}

/// Where the runs that are open at the same time take most: how much, and these runs.
pub(super) fn peak(runs: &[Run]) -> (u64, Vec<usize>) {
    // Where one begins when another one ends, both are open.
    let changes = runs.iter().enumerate();
    let mut changes: Vec<(i64, u8, usize)> =
        changes.flat_map(|(number, run)| [(run.first, 0, number), (run.last, 1, number)]).collect();
    changes.sort_unstable();
    let (mut open, mut peak, mut at) = (0, 0, 0);
    for &(time, is_end, number) in &changes {
        if is_end == 1 {
            open -= runs[number].bytes;
        } else {
            open += runs[number].bytes;
            if open > peak {
                (peak, at) = (open, time);
            }
        }
    }
    (peak, (0..runs.len()).filter(|&number| runs[number].first <= at && at <= runs[number].last).collect())
}

/// A run that is being read, at one of its rows.
pub(super) struct Cursor {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
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
            let rows = usize::try_from(run.batch_rows).unwrap_or(1);
            builder.with_row_groups(run.groups).with_batch_size(rows).build().map_err(ReadError::from)
        });
        let mut reader = reader.map_err(unreadable)?;
        let schema = Arc::new(schema());
        let Some(batch) = next_batch(&mut reader, &schema).map_err(unreadable)? else { return Ok(None) };
        let (times, lines, ids) = columns(&batch).map_err(unreadable)?;
        Ok(Some(Self { path: run.path, reader, schema, batch, times, lines, ids, row: 0 }))
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
        let Some(batch) = next_batch(&mut self.reader, &self.schema).map_err(unreadable)? else { return Ok(false) };
        (self.times, self.lines, self.ids) = columns(&batch).map_err(unreadable)?;
        (self.batch, self.row) = (batch, 0);
        Ok(true)
    }
}

/// A column of numbers.
pub(super) fn numbers<'b>(
    batch: &'b RecordBatch,
    name: &'static str,
) -> Result<&'b PrimitiveArray<Int64Type>, ReadError> {
    column(batch, name)
}

/// A column of texts.
pub(super) fn texts<'b>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b StringArray, ReadError> {
    column(batch, name)
}

fn column<'b, A: 'static>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b A, ReadError> {
    batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or(ReadError::Column(name))
}

type Compared = (PrimitiveArray<Int64Type>, PrimitiveArray<Int64Type>, StringArray);

fn columns(batch: &RecordBatch) -> Result<Compared, ReadError> {
    Ok((numbers(batch, "time_ns")?.clone(), numbers(batch, "line")?.clone(), texts(batch, "id")?.clone()))
}

fn next_batch(reader: &mut ParquetRecordBatchReader, schema: &SchemaRef) -> Result<Option<RecordBatch>, ReadError> {
    loop {
        match guarded(|| reader.next().transpose().map_err(ReadError::from))? {
            Some(batch) if batch.num_rows() == 0 => {}
            Some(batch) => return Ok(Some(with_all_columns(&batch, schema)?)),
            None => return Ok(None),
        }
    }
}

/// The rows with all columns: null in those that their file does not have.
fn with_all_columns(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ReadError> {
    let column = |field: &FieldRef| {
        let column = batch.column_by_name(field.name()).cloned();
        column.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    };
    let columns: Vec<ArrayRef> = schema.fields().iter().map(column).collect();
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// Some damaged files make their decoder panic: that is an error as others are.
fn guarded<T>(read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ReadError::Content("its decoder has panicked".to_owned())))
}
