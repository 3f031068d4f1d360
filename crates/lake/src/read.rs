//! Files of the lake, read: some of their columns, some thousand rows at a time.
//!
//! Compaction reads and writes whole rows by Arrow. What looks at a few columns does without it: a function that does not need Arrow's
//! decoders is smaller by a megabyte.

use std::str;

use parquet::basic::{LogicalType, TimeUnit, TimestampType};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader as _, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use thiserror::Error;

use crate::schema::Kind;

/// Rows that are read at once.
const BATCH_ROWS: usize = 4096;

/// A file of the lake that cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is no Parquet, or damaged.
    #[error("not readable as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// Its pages cannot be decoded.
    #[error("not readable as Parquet: {0}")]
    Pages(#[from] arrow_schema::ArrowError),
    /// It has other columns.
    #[error("the column {0} is missing, or of another type")]
    Column(&'static str),
    /// What is in a column cannot be.
    #[error("{0}")]
    Content(String),
}

/// A file of which columns are read.
pub(crate) struct Table<R: ChunkReader> {
    file: SerializedFileReader<R>,
    /// Row groups whose rows were begun.
    begun: usize,
    /// Rows of the last of them that were not read.
    left: usize,
}

/// A column's values in the rows that were read last.
pub(crate) struct ColumnValues<T: DataType> {
    name: &'static str,
    kind: Kind,
    reader: Option<ColumnReaderImpl<T>>,
    /// By row, 1 where it has a value; empty where all have one by the schema.
    levels: Vec<i16>,
    /// By row; the default where it has none.
    values: Vec<T::T>,
}

/// A column of any type.
pub(crate) trait ReadColumn {
    /// Begins a row group.
    fn begin(&mut self, group: &dyn RowGroupReader, schema: &SchemaDescriptor) -> Result<(), ReadError>;

    /// Reads the values of so many rows.
    fn read(&mut self, rows: usize) -> Result<(), ReadError>;
}

impl<R: ChunkReader + 'static> Table<R> {
    /// The table of a file.
    ///
    /// # Errors
    ///
    /// Where it is no Parquet.
    pub(crate) fn open(file: R) -> Result<Self, ReadError> {
        Ok(Self { file: SerializedFileReader::new(file)?, begun: 0, left: 0 })
    }

    /// An entry of the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        let entries = self.file.metadata().file_metadata().key_value_metadata()?;
        entries.iter().find(|entry| entry.key == key)?.value.as_deref()
    }

    /// Reads the next rows of these columns, which are the same ones in all calls. Returns how many there are; none after the last one.
    ///
    /// # Errors
    ///
    /// Where a column is missing or of another type, or the file is damaged.
    pub(crate) fn next(&mut self, columns: &mut [&mut dyn ReadColumn]) -> Result<Option<usize>, ReadError> {
        while self.left == 0 && self.begun < self.file.num_row_groups() {
            let group = self.file.get_row_group(self.begun)?;
            for column in &mut *columns {
                column.begin(&*group, self.file.metadata().file_metadata().schema_descr())?;
            }
            self.begun += 1;
            self.left = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
        }
        let rows = self.left.min(BATCH_ROWS);
        if rows == 0 {
            return Ok(None);
        }
        self.left -= rows;
        columns.iter_mut().try_for_each(|column| column.read(rows))?;
        Ok(Some(rows))
    }

    /// Begins at the first row again.
    pub(crate) fn rewind(&mut self) {
        (self.begun, self.left) = (0, 0);
    }
}

impl<T: DataType> ColumnValues<T> {
    /// A column, none of whose values were read.
    pub(crate) fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, reader: None, levels: Vec::new(), values: Vec::new() }
    }

    /// The value of a row, none where it is null.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&T::T> {
        let is_null = self.levels.get(row) == Some(&0);
        self.values.get(row).filter(|_| !is_null)
    }

    /// The value of a row of a column without nulls.
    ///
    /// # Errors
    ///
    /// Where it is null all the same.
    #[inline]
    pub(crate) fn required(&self, row: usize) -> Result<&T::T, ReadError> {
        self.get(row).ok_or_else(|| ReadError::Content(format!("{} is null", self.name)))
    }
}

impl ColumnValues<ByteArrayType> {
    /// The text of a row, none where it is null.
    ///
    /// # Errors
    ///
    /// Where it is no UTF-8.
    pub(crate) fn text(&self, row: usize) -> Result<Option<&str>, ReadError> {
        let text = self.get(row).map(ByteArray::data).map(str::from_utf8).transpose();
        text.map_err(|error| ReadError::Content(format!("{}: {error}", self.name)))
    }
}

impl<T: DataType> ReadColumn for ColumnValues<T> {
    fn begin(&mut self, group: &dyn RowGroupReader, schema: &SchemaDescriptor) -> Result<(), ReadError> {
        let is_it = |column: &ColumnDescriptor| {
            column.path().parts() == [self.name]
                && column.max_rep_level() == 0
                && column.max_def_level() <= 1
                && self.kind.is_of(column)
        };
        let index = (0..schema.num_columns()).find(|&index| is_it(&schema.column(index)));
        let reader = index.map(|index| group.get_column_reader(index)).transpose()?;
        self.reader = Some(reader.and_then(T::get_column_reader).ok_or(ReadError::Column(self.name))?);
        Ok(())
    }

    fn read(&mut self, rows: usize) -> Result<(), ReadError> {
        let reader = self.reader.as_mut().ok_or(ReadError::Column(self.name))?;
        self.levels.clear();
        self.values.clear();
        let (mut read, mut with_value) = (0, 0);
        while read < rows {
            let (records, values, _) =
                reader.read_records(rows - read, Some(&mut self.levels), None, &mut self.values)?;
            if records == 0 {
                return Err(ReadError::Content(format!("{} has fewer rows than its row group", self.name)));
            }
            (read, with_value) = (read + records, with_value + values);
        }
        // The values stand side by side: each moves to its row, from the last one on.
        self.values.resize_with(rows, T::T::default);
        for row in (0..self.levels.len().min(rows)).rev() {
            if self.levels[row] > 0 && with_value > 0 {
                with_value -= 1;
                self.values.swap(with_value, row);
            }
        }
        Ok(())
    }
}

impl Kind {
    /// Whether a column of this physical type is of this kind.
    fn is_of(self, column: &ColumnDescriptor) -> bool {
        match self {
            Self::Time => matches!(
                column.logical_type_ref(),
                Some(LogicalType::Timestamp(TimestampType { is_adjusted_to_u_t_c: true, unit: TimeUnit::MICROS }))
            ),
            Self::Text => matches!(column.logical_type_ref(), Some(LogicalType::String)),
            Self::Int32 | Self::Int64 | Self::Double | Self::Binary | Self::Map => column.logical_type_ref().is_none(),
        }
    }
}
