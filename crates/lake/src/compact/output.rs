//! Files of rows, one after the other.

use std::io;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use crate::parquet::{Files, OutputFile, ROW_GROUP_BYTES, ROW_GROUP_ROWS};
use crate::properties::properties;
use crate::schema::{COLUMNS, schema};

/// Bytes of a file, to which its last row group is added: a file is at most 256 MB.
pub(super) const FILE_BYTES: u64 = 192 << 20;

/// Writes rows into files `STEM-N.parquet`.
pub(super) struct Output<'f> {
    files: &'f mut dyn Files,
    stem: String,
    file_bytes: u64,
    schema: SchemaRef,
    writer: Option<ArrowWriter<Box<dyn OutputFile>>>,
    paths: Vec<String>,
    rows: u64,
}

impl<'f> Output<'f> {
    pub(super) fn new(files: &'f mut dyn Files, stem: String, file_bytes: u64) -> Self {
        Self { files, stem, file_bytes, schema: Arc::new(schema()), writer: None, paths: Vec::new(), rows: 0 }
    }

    /// Writes rows that are not before those that were written.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        if let Some(writer) = self.writer.as_mut().filter(|writer| is_full(writer)) {
            writer.flush().map_err(io::Error::other)?;
            if writer.bytes_written() as u64 >= self.file_bytes {
                self.close()?;
            }
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let path = format!("{}-{}.parquet", self.stem, self.paths.len());
                let file = self.files.create(&path)?;
                self.paths.push(path);
                none.insert(row_writer(file, self.schema.clone())?)
            }
        };
        writer.write(rows).map_err(io::Error::other)?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Finishes the last file; returns all paths, and how many rows they have.
    pub(super) fn finish(mut self) -> io::Result<(Vec<String>, u64)> {
        self.close()?;
        Ok((self.paths, self.rows))
    }

    fn close(&mut self) -> io::Result<()> {
        match self.writer.take() {
            Some(writer) => writer.into_inner().map_err(io::Error::other)?.finish(),
            None => Ok(()),
        }
    }
}

/// Writes rows into a file.
///
/// # Errors
///
/// Where Parquet's writer refuses the columns.
fn row_writer(file: Box<dyn OutputFile>, schema: SchemaRef) -> io::Result<ArrowWriter<Box<dyn OutputFile>>> {
    let options =
        ArrowWriterOptions::new().with_properties(properties(&COLUMNS)?.build()).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(file, schema, options).map_err(io::Error::other)
}

/// Whether the row group that is being written has enough rows.
fn is_full(writer: &ArrowWriter<Box<dyn OutputFile>>) -> bool {
    writer.in_progress_size() > ROW_GROUP_BYTES || writer.in_progress_rows() > ROW_GROUP_ROWS
}
