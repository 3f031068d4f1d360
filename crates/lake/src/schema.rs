//! Columns, and those of `cleaned/`, once: Arrow's schema, and with it Parquet's.
//!
//! Types and encodings are those that Athena (Trino), Spark, `DuckDB`, pyarrow, polars, fastparquet and parquet-go all read:
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
    /// Whether queries compare it, so that least and greatest values pay: of a text they cost two comparisons a row.
    pub(crate) compared: bool,
}

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Time,
    Int32,
    Int64,
    Double,
    Binary,
    Map,
}

pub(crate) const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text, nullable: false, repeats: false, compared: false }
}

pub(crate) const fn number(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: false, repeats: false, compared: true }
}

impl Column {
    pub(crate) const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    pub(crate) const fn repeats(mut self) -> Self {
        self.repeats = true;
        self
    }

    pub(crate) const fn compared(mut self) -> Self {
        self.compared = true;
        self
    }
}

/// The columns in their order.
pub(crate) const COLUMNS: [Column; 21] = [
    text("id"),
    number("time", Kind::Time),
    number("time_ns", Kind::Int64),
    text("time_source").repeats(),
    number("observed_time", Kind::Time).repeats(),
    number("severity_number", Kind::Int32).nullable().repeats(),
    text("severity_text").nullable().repeats(),
    text("service").nullable().repeats().compared(),
    text("body"),
    Column { name: "attributes", kind: Kind::Map, nullable: false, repeats: false, compared: false },
    text("trace_id").nullable(),
    text("span_id").nullable(),
    text("exception_type").nullable().repeats().compared(),
    text("exception_message").nullable().repeats(),
    text("exception_stacktrace").nullable().repeats(),
    number("duration_ms", Kind::Double).nullable(),
    number("status", Kind::Int32).nullable().repeats(),
    text("format").repeats().compared(),
    text("source").repeats().compared(),
    number("line", Kind::Int64),
    number("lines", Kind::Int32).repeats(),
];

/// The Arrow schema of a cleaned row.
pub fn schema() -> Schema {
    schema_of(&COLUMNS)
}

/// The Arrow schema of these columns.
pub(crate) fn schema_of(columns: &[Column]) -> Schema {
    let fields: Vec<Field> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let kind = match column.kind {
                Kind::Text => DataType::Utf8,
                Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
                Kind::Int32 => DataType::Int32,
                Kind::Int64 => DataType::Int64,
                Kind::Double => DataType::Float64,
                Kind::Binary => DataType::Binary,
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
