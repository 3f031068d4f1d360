//! Rows as Arrow columns, built in one pass over the rows: a row is in the processor's cache once.

use std::io;
use std::sync::Arc;

use arrow_array::builder::{
    Float64Builder, Int32Builder, Int64Builder, MapBuilder, MapFieldNames, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use crate::batch::{Batch, Row, Text};
use crate::schema::{UTC, key_field, value_field};

/// Columns being built; the names are those of [`COLUMNS`](crate::schema::COLUMNS), and the order.
struct Columns {
    id: StringBuilder,
    time: TimestampMicrosecondBuilder,
    time_ns: Int64Builder,
    time_source: StringBuilder,
    observed_time: TimestampMicrosecondBuilder,
    severity_number: Int32Builder,
    severity_text: StringBuilder,
    service: StringBuilder,
    body: StringBuilder,
    attributes: MapBuilder<StringBuilder, StringBuilder>,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    exception_type: StringBuilder,
    exception_message: StringBuilder,
    exception_stacktrace: StringBuilder,
    duration_ms: Float64Builder,
    status: Int32Builder,
    format: StringBuilder,
    source: StringBuilder,
    line: Int64Builder,
    lines: Int32Builder,
}

/// These rows of a batch as columns.
///
/// # Errors
///
/// Where the columns do not fit the schema.
pub(crate) fn columns<'b>(
    schema: &SchemaRef,
    batch: &'b Batch,
    rows: impl ExactSizeIterator<Item = &'b Row>,
    source: &str,
) -> io::Result<RecordBatch> {
    let mut columns = Columns::with_capacity(rows.len());
    for row in rows {
        columns.append(batch, row, source).map_err(io::Error::other)?;
    }
    RecordBatch::try_new(schema.clone(), columns.finish()).map_err(io::Error::other)
}

impl Columns {
    fn with_capacity(rows: usize) -> Self {
        let text = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
        let attributes = MapBuilder::with_capacity(Some(names), text(40), text(40), rows)
            .with_keys_field(Arc::new(key_field()))
            .with_values_field(Arc::new(value_field()));
        Self {
            id: text(36),
            time: TimestampMicrosecondBuilder::with_capacity(rows),
            time_ns: Int64Builder::with_capacity(rows),
            time_source: text(8),
            observed_time: TimestampMicrosecondBuilder::with_capacity(rows),
            severity_number: Int32Builder::with_capacity(rows),
            severity_text: text(8),
            service: text(16),
            body: text(64),
            attributes,
            trace_id: text(32),
            span_id: text(16),
            exception_type: text(0),
            exception_message: text(0),
            exception_stacktrace: text(0),
            duration_ms: Float64Builder::with_capacity(rows),
            status: Int32Builder::with_capacity(rows),
            format: text(8),
            source: text(32),
            line: Int64Builder::with_capacity(rows),
            lines: Int32Builder::with_capacity(rows),
        }
    }

    fn append(&mut self, batch: &Batch, row: &Row, source: &str) -> Result<(), arrow_schema::ArrowError> {
        let text = |builder: &mut StringBuilder, text: Text| builder.append_option(batch.text(text));
        text(&mut self.id, row.id);
        self.time.append_value(row.time.div_euclid(1_000));
        self.time_ns.append_value(row.time);
        self.time_source.append_value(row.time_source.as_str());
        self.observed_time.append_value(row.observed.div_euclid(1_000));
        self.severity_number.append_option(Some(i32::from(row.severity)).filter(|&number| number > 0));
        text(&mut self.severity_text, row.severity_text);
        text(&mut self.service, row.service);
        text(&mut self.body, row.body);
        for &(key, value) in batch.attributes(row) {
            self.attributes.keys().append_value(batch.text(key).unwrap_or_default());
            text(self.attributes.values(), value);
        }
        self.attributes.append(true)?;
        text(&mut self.trace_id, row.trace_id);
        text(&mut self.span_id, row.span_id);
        text(&mut self.exception_type, row.exception_type);
        text(&mut self.exception_message, row.exception_message);
        text(&mut self.exception_stacktrace, row.exception_stacktrace);
        self.duration_ms.append_option(Some(row.duration).filter(|duration| !duration.is_nan()));
        self.status.append_option(Some(row.status).filter(|&status| status > 0));
        self.format.append_value(row.format);
        self.source.append_value(source);
        self.line.append_value(i64::try_from(row.line).unwrap_or(i64::MAX));
        self.lines.append_value(i32::try_from(row.lines).unwrap_or(i32::MAX));
        Ok(())
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.id.finish()),
            Arc::new(self.time.finish().with_timezone(UTC)),
            Arc::new(self.time_ns.finish()),
            Arc::new(self.time_source.finish()),
            Arc::new(self.observed_time.finish().with_timezone(UTC)),
            Arc::new(self.severity_number.finish()),
            Arc::new(self.severity_text.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.body.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.exception_type.finish()),
            Arc::new(self.exception_message.finish()),
            Arc::new(self.exception_stacktrace.finish()),
            Arc::new(self.duration_ms.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.format.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.line.finish()),
            Arc::new(self.lines.finish()),
        ]
    }
}
