//! The columns of `cleaned/`, once: Arrow's schema, and with it Parquet's.
//!
//! Types and encodings are those that Athena (Trino), Spark, DuckDB, pyarrow, polars, fastparquet and parquet-go all read:
//! no nanosecond, unsigned or view types; the map's levels are `key_value`, `key` and `value`; each column has a field id, so
//! that Iceberg takes the files as they are.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

/// The zone of the times.
pub(crate) const UTC: &str = "UTC";

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// Whether few values repeat: a dictionary pays.
    pub(crate) repeats: bool,
}

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Time,
    Int32,
    Int64,
    Double,
    Map,
}

const fn text(name: &'static str, nullable: bool, repeats: bool) -> Column {
    Column { name, kind: Kind::Text, nullable, repeats }
}

const fn column(name: &'static str, kind: Kind, nullable: bool) -> Column {
    Column { name, kind, nullable, repeats: matches!(kind, Kind::Int32) }
}

/// The columns in their order.
pub(crate) const COLUMNS: [Column; 21] = [
    text("id", false, false),
    column("time", Kind::Time, false),
    column("time_ns", Kind::Int64, false),
    text("time_source", false, true),
    Column { name: "observed_time", kind: Kind::Time, nullable: false, repeats: true },
    column("severity_number", Kind::Int32, true),
    text("severity_text", true, true),
    text("service", true, true),
    text("body", false, false),
    column("attributes", Kind::Map, false),
    text("trace_id", true, false),
    text("span_id", true, false),
    text("exception_type", true, true),
    text("exception_message", true, true),
    text("exception_stacktrace", true, true),
    column("duration_ms", Kind::Double, true),
    column("status", Kind::Int32, true),
    text("format", false, true),
    text("source", false, true),
    column("line", Kind::Int64, false),
    column("lines", Kind::Int32, false),
];

/// The Arrow schema of a cleaned row.
pub fn schema() -> Schema {
    let fields: Vec<Field> = COLUMNS
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let kind = match column.kind {
                Kind::Text => DataType::Utf8,
                Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
                Kind::Int32 => DataType::Int32,
                Kind::Int64 => DataType::Int64,
                Kind::Double => DataType::Float64,
                Kind::Map => DataType::Map(Arc::new(entries()), false),
            };
            with_id(Field::new(column.name, kind, column.nullable), index + 1)
        })
        .collect();
    Schema::new(fields)
}

/// A key and its value in the map of attributes.
pub(crate) fn entries() -> Field {
    Field::new("key_value", DataType::Struct(Fields::from(vec![key_field(), value_field()])), false)
}

pub(crate) fn key_field() -> Field {
    with_id(Field::new("key", DataType::Utf8, false), COLUMNS.len() + 1)
}

pub(crate) fn value_field() -> Field {
    with_id(Field::new("value", DataType::Utf8, true), COLUMNS.len() + 2)
}

fn with_id(field: Field, id: usize) -> Field {
    field.with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]))
}
