//! Files of the lake, read: their columns, and why one cannot be.

use arrow_array::{ArrowPrimitiveType, PrimitiveArray, RecordBatch, StringArray};
use thiserror::Error;

/// A file of the lake that cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is no Parquet, or damaged.
    #[error("not readable as Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
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

/// A column of numbers.
pub(crate) fn numbers<'b, T: ArrowPrimitiveType>(
    batch: &'b RecordBatch,
    name: &'static str,
) -> Result<&'b PrimitiveArray<T>, ReadError> {
    column(batch, name)
}

/// A column of texts.
pub(crate) fn texts<'b>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b StringArray, ReadError> {
    column(batch, name)
}

/// A column of this type.
pub(crate) fn column<'b, A: 'static>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b A, ReadError> {
    batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or(ReadError::Column(name))
}
