//! The rows of a lake, read from its files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A row: its columns of texts and integers as text, null as `None`, and its attributes as `attributes.NAME`.
pub(crate) type Row = BTreeMap<String, Option<String>>;

/// Files of this suffix in a folder and below it.
pub(crate) fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.extension().is_some_and(|extension| extension == suffix) {
            found.push(path);
        }
    }
    found
}

/// The rows by their ids, of which each should have one.
pub(crate) fn rows(lake: &Path) -> BTreeMap<String, Vec<Row>> {
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for file in files(&lake.join("cleaned"), "parquet") {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
        for batch in reader.map(Result::unwrap) {
            for index in 0..batch.num_rows() {
                let row = row(&batch, index);
                rows.entry(row["id"].clone().unwrap()).or_default().push(row);
            }
        }
    }
    rows
}

fn row(batch: &RecordBatch, index: usize) -> Row {
    let mut row = Row::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = field.name();
        if let Some(pairs) = column.as_map_opt() {
            let pairs = pairs.value(index);
            let [keys, values] = [0, 1].map(|part| pairs.column(part).as_string::<i32>());
            let pairs = keys.iter().flatten().zip(values);
            row.extend(pairs.map(|(key, value)| (format!("{name}.{key}"), value.map(str::to_owned))));
        } else if let Some(text) = text(column, index) {
            row.insert(name.clone(), Some(text).filter(|_| column.is_valid(index)));
        }
    }
    row
}

/// The text of a text or an integer.
fn text(column: &ArrayRef, index: usize) -> Option<String> {
    let text = column.as_string_opt::<i32>().map(|column| column.value(index).to_owned());
    let short = || column.as_primitive_opt::<Int32Type>().map(|column| column.value(index).to_string());
    let long = || column.as_primitive_opt::<Int64Type>().map(|column| column.value(index).to_string());
    text.or_else(short).or_else(long)
}
