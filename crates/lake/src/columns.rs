//! Rows as the columns of a row group.

use std::io;

use parquet::schema::types::SchemaDescriptor;

use crate::batch::{Batch, Row, Text};
use crate::encode::{Chunk, Compressor, Element, Encoded, PAGE_BYTES};
use crate::schema::COLUMNS;

/// Columns of the file: the map of attributes is two of them.
const LEAVES: usize = COLUMNS.len() + 1;

/// What a row counts for, besides its texts, until pages that are full are looked for.
const ROW_BYTES: usize = PAGE_BYTES / 64;

/// The columns of the row group that is being written, in the order of [`COLUMNS`].
pub(crate) struct Columns {
    leaves: [Chunk; LEAVES],
    rows: usize,
    /// Bytes of the rows since pages that are full were ended, about.
    unchecked: usize,
    /// Names and values of attributes, by their place in the row: rows of a program have the same names in the same places.
    elements: Vec<[Element; 2]>,
    /// The last row of this row group.
    last: Option<Row>,
}

impl Columns {
    /// Columns without rows.
    ///
    /// # Errors
    ///
    /// Where the file has other columns.
    pub(crate) fn new(schema: &SchemaDescriptor) -> io::Result<Self> {
        let leaves = Chunk::all(schema, &COLUMNS)?;
        Ok(Self { leaves, rows: 0, unchecked: 0, elements: Vec::new(), last: None })
    }

    /// Appends rows of the batch.
    ///
    /// # Errors
    ///
    /// Where a page cannot be compressed.
    pub(crate) fn append<'b>(
        &mut self,
        batch: &Batch,
        rows: impl Iterator<Item = &'b Row>,
        source: &str,
        compressor: &mut Compressor,
    ) -> io::Result<()> {
        for (index, row) in rows.enumerate() {
            self.append_row(batch, row, (index == 0).then_some(source));
            if self.unchecked >= PAGE_BYTES {
                self.unchecked = 0;
                for leaf in &mut self.leaves {
                    leaf.end_full_page(compressor)?;
                }
            }
        }
        Ok(())
    }

    /// Appends a row; `source` where it may be another one than the last row's.
    fn append_row(&mut self, batch: &Batch, row: &Row, source: Option<&str>) {
        let [
            id,
            time,
            time_ns,
            time_source,
            observed_time,
            severity_number,
            severity_text,
            service,
            body,
            names,
            values,
            trace_id,
            span_id,
            exception_type,
            exception_message,
            exception_stacktrace,
            duration_ms,
            status,
            format,
            from,
            line,
            lines,
        ] = &mut self.leaves;
        // What is as in the row before is not looked up.
        let last = self.last.replace(*row);
        let is_same = |same: fn(&Row, &Row) -> bool| last.as_ref().is_some_and(|last| same(last, row));
        id.text(batch.bytes_of(row.id));
        time.int64(Some(row.time.div_euclid(1_000)));
        time_ns.int64(Some(row.time));
        if !time_source.repeat(is_same(|last, row| last.time_source == row.time_source)) {
            time_source.text(Some(row.time_source.as_str().as_bytes()));
        }
        if !observed_time.repeat(is_same(|last, row| last.observed == row.observed)) {
            observed_time.int64(Some(row.observed.div_euclid(1_000)));
        }
        if !severity_number.repeat(is_same(|last, row| last.severity == row.severity)) {
            severity_number.int32(Some(i32::from(row.severity)).filter(|&number| number > 0));
        }
        severity_text.text(batch.bytes_of(row.severity_text));
        service.text(batch.bytes_of(row.service));
        body.text(batch.bytes_of(row.body));
        let attributes = batch.attributes(row);
        if attributes.is_empty() {
            names.no_element();
            values.no_element();
        }
        self.elements.resize_with(self.elements.len().max(attributes.len()), Default::default);
        let places = attributes.iter().zip(&mut self.elements).enumerate();
        for (place, (&(name, value), [last_name, last_value])) in places {
            names.element(place == 0, Some(batch.bytes_of(name).unwrap_or_default()), last_name);
            values.element(place == 0, batch.bytes_of(value), last_value);
            self.unchecked += value.len();
        }
        trace_id.text(batch.bytes_of(row.trace_id));
        span_id.text(batch.bytes_of(row.span_id));
        exception_type.text(batch.bytes_of(row.exception_type));
        exception_message.text(batch.bytes_of(row.exception_message));
        exception_stacktrace.text(batch.bytes_of(row.exception_stacktrace));
        duration_ms.double(Some(row.duration).filter(|duration| !duration.is_nan()));
        if !status.repeat(is_same(|last, row| last.status == row.status)) {
            status.int32(Some(row.status).filter(|&status| status > 0));
        }
        if !format.repeat(is_same(|last, row| std::ptr::eq(last.format, row.format))) {
            format.text(Some(row.format.as_bytes()));
        }
        if !from.repeat(source.is_none()) {
            from.text(source.map(str::as_bytes));
        }
        line.int64(Some(i64::try_from(row.line).unwrap_or(i64::MAX)));
        if !lines.repeat(is_same(|last, row| last.lines == row.lines)) {
            lines.int32(Some(i32::try_from(row.lines).unwrap_or(i32::MAX)));
        }
        self.rows += 1;
        let texts = [row.body, row.exception_message, row.exception_stacktrace].map(Text::len);
        self.unchecked += ROW_BYTES + texts.iter().sum::<usize>();
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of all pages, those being filled before compression.
    pub(crate) fn size(&self) -> usize {
        self.leaves.iter().map(Chunk::size).sum()
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.leaves.iter().map(Chunk::memory).sum()
    }

    /// Ends the row group: its columns in the file's order. The next row is the first one of another.
    pub(crate) fn finish(&mut self, compressor: &mut Compressor) -> impl Iterator<Item = io::Result<Encoded>> {
        self.rows = 0;
        self.elements = Vec::new();
        self.last = None;
        self.leaves.iter_mut().map(|leaf| leaf.finish(compressor))
    }
}
