//! Files of rows, as cleaning makes them, and what they are merged to.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::runs::{numbers, texts};
use super::*;
use crate::clean::{Source, clean};
use crate::parquet::LakeWriter;
use crate::schema::schema;

const STEM: &str = "cleaned/dt=2026-01-31/hour=9/compacted-0000";

/// A record's time, by its number: several have the same, and their order is another one than that of the numbers.
fn time_of(record: u32) -> String {
    format!("2026-01-31T09:{:02}:30.{:09}Z", record * 7 % 60, record / 120 * 3)
}

/// A file of rows of these records, whose ids are their numbers.
fn file(folder: &Path, number: usize, records: &[u32]) -> PathBuf {
    let line = |record: &u32| {
        let text = format!("record {record}");
        format!(
            r#"{{"millrace":{{"id":"{record}","service":"pay","at":"2026-01-31T12:00:00Z"}},"record":{{"time":"{}","msg":"{text}","n":"{record}"}}}}"#,
            time_of(*record)
        ) + "\n"
    };
    let text: String = records.iter().map(line).collect();
    let name = format!("raw-{number}");
    let source = Source { identity: name.clone(), name, service: "none".to_owned(), observed: 0, offset: 0 };
    let mut files = Folder::new(folder);
    let mut writer = LakeWriter::new(&mut files, &source);
    clean(text.as_bytes(), &source, &mut writer).unwrap();
    let paths = writer.finish().unwrap();
    let [path] = &paths[..] else { panic!("{paths:?}") };
    folder.join(path)
}

/// The rows of files: time, id and body.
fn rows(folder: &Path, files: &[String]) -> Vec<(i64, String, String)> {
    let mut rows = Vec::new();
    for file in files {
        let file = File::open(folder.join(file)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let times = numbers(&batch, "time_ns").unwrap();
            let (ids, bodies) = (texts(&batch, "id").unwrap(), texts(&batch, "body").unwrap());
            rows.extend(
                (0..batch.num_rows())
                    .map(|row| (times.value(row), ids.value(row).to_owned(), bodies.value(row).to_owned())),
            );
        }
    }
    rows
}

struct Lake {
    folder: TempDir,
    space: TempDir,
}

impl Lake {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), space: tempfile::tempdir().unwrap() }
    }

    fn compact(&self, inputs: &[PathBuf], memory_limit: u64) -> Result<Compacted, CompactError> {
        let mut files = Folder::new(self.folder.path());
        compact_within(inputs, STEM, &mut files, self.space.path(), memory_limit)
    }
}

fn expected(records: impl IntoIterator<Item = u32>) -> Vec<(String, String)> {
    let mut records: Vec<u32> = records.into_iter().collect();
    records.sort_by_key(|&record| (time_of(record), record));
    records.dedup();
    records.into_iter().map(|record| (record.to_string(), format!("record {record}"))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is where: each id is there once, in order of time, with its own text, also where memory is for two files only.
    #[test]
    fn each_id_is_there_once_in_order_of_time(
        files in proptest::collection::vec(proptest::collection::vec(0..200_u32, 1..80), 1..8),
        is_narrow: bool,
    ) {
        let lake = Lake::new();
        let inputs: Vec<PathBuf> =
            files.iter().enumerate().map(|(number, records)| file(lake.folder.path(), number, records)).collect();
        let compacted = lake.compact(&inputs, if is_narrow { 0 } else { u64::MAX }).unwrap();
        let found = rows(lake.folder.path(), &compacted.files);
        prop_assert!(found.is_sorted_by_key(|(time, ..)| *time));
        let mut texts: Vec<(String, String)> = found.into_iter().map(|(_, id, body)| (id, body)).collect();
        let mut expected = expected(files.iter().flatten().copied());
        // Cleaning has left out what is in one file twice.
        let distinct: usize = files.iter().map(|file| file.iter().collect::<std::collections::HashSet<_>>().len()).sum();
        prop_assert_eq!(compacted.rows + compacted.duplicates, distinct as u64);
        prop_assert_eq!(compacted.rows, expected.len() as u64);
        texts.sort();
        expected.sort();
        prop_assert_eq!(texts, expected);
    }
}

/// Rows that differ in nanoseconds alone are in order, too, in whatever row groups they are.
#[test]
fn rows_of_one_microsecond_are_in_order() {
    let lake = Lake::new();
    let inputs = [file(lake.folder.path(), 0, &[180, 60, 120, 0]), file(lake.folder.path(), 1, &[420, 300, 240, 360])];
    let compacted = lake.compact(&inputs, 0).unwrap();
    let found = rows(lake.folder.path(), &compacted.files);
    assert!(found.is_sorted_by_key(|(time, ..)| *time), "{found:?}");
    assert_eq!(compacted.rows, 8);
}

/// Passes leave nothing of what they have read.
#[test]
fn passes_need_the_space_of_their_rows_once() {
    let lake = Lake::new();
    let inputs: Vec<PathBuf> =
        (0..12).zip(0..).map(|(file_number, record)| file(lake.folder.path(), file_number, &[0, 59, record])).collect();
    lake.compact(&inputs, 0).unwrap();
    assert_eq!(std::fs::read_dir(lake.space.path()).unwrap().count(), 1, "the last pass");
}

/// What is compacted is merged with what comes late: nothing changes but for the new rows.
#[test]
fn compacted_files_are_inputs_as_others_are() {
    let lake = Lake::new();
    let records: Vec<u32> = (0..5_000).collect();
    let inputs = [file(lake.folder.path(), 0, &records[..4_000]), file(lake.folder.path(), 1, &records[3_000..4_500])];
    let first = lake.compact(&inputs, u64::MAX).unwrap();
    assert_eq!((first.rows, first.duplicates), (4_500, 1_000));
    assert_eq!(first.files, [format!("{STEM}-0.parquet")]);
    let compacted = lake.space.path().join("first.parquet");
    std::fs::rename(lake.folder.path().join(&first.files[0]), &compacted).unwrap();
    let new = file(lake.folder.path(), 2, &records[4_400..]);
    let second = lake.compact(&[new, compacted], u64::MAX).unwrap();
    assert_eq!((second.rows, second.duplicates), (5_000, 100));
    let found = rows(lake.folder.path(), &second.files);
    let found: Vec<(String, String)> = found.into_iter().map(|(_, id, body)| (id, body)).collect();
    let mut expected = expected(0..5_000);
    let mut sorted = found.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
}

#[test]
fn a_file_that_is_none_of_rows_is_named() {
    let lake = Lake::new();
    let good = file(lake.folder.path(), 0, &[1, 2]);
    let bytes = std::fs::read(&good).unwrap();
    let bad = lake.folder.path().join("bad");
    std::fs::write(&bad, &bytes[..bytes.len() - 9]).unwrap();
    let error = lake.compact(&[good.clone(), bad.clone()], u64::MAX).unwrap_err();
    assert!(matches!(&error, CompactError::Input { path, .. } if *path == bad), "{error}");
    assert!(error.to_string().contains("not readable as Parquet"), "{error}");
    let metrics = crate::metrics::HourFile::default().to_bytes().unwrap();
    std::fs::write(&bad, metrics).unwrap();
    let error = lake.compact(&[bad.clone(), good], u64::MAX).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: the column service is of another type", bad.display()));
}

/// A file without a column that rows need not have is one of an earlier version.
#[test]
fn a_file_of_fewer_columns_is_merged() {
    let lake = Lake::new();
    let [old, new] = [file(lake.folder.path(), 0, &[1, 2]), file(lake.folder.path(), 1, &[2, 3])];
    let without = |name: &str| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&old).unwrap()).unwrap().build().unwrap();
        let mut batch = reader.map(Result::unwrap).next().unwrap();
        batch.remove_column(batch.schema().index_of(name).unwrap());
        let path = lake.folder.path().join(format!("without-{name}"));
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    };
    let compacted = lake.compact(&[without("status"), new.clone()], u64::MAX).unwrap();
    assert_eq!((compacted.rows, compacted.duplicates), (3, 1));
    assert_eq!(rows(lake.folder.path(), &compacted.files).len(), 3);
    let error = lake.compact(&[without("body"), new.clone()], u64::MAX).unwrap_err();
    assert!(error.to_string().ends_with("without-body: the column body is missing"), "{error}");

    // One of a later version is no wrong file: this one must not touch it.
    let later = lake.folder.path().join("later");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&old).unwrap()).unwrap().build().unwrap();
    let batch = reader.map(Result::unwrap).next().unwrap();
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("host", DataType::Utf8, true)));
    let more = Arc::new(Schema::new(fields));
    let columns = batch.columns().iter().cloned().chain([new_null_array(&DataType::Utf8, batch.num_rows())]).collect();
    let mut writer = ArrowWriter::try_new(File::create(&later).unwrap(), more.clone(), None).unwrap();
    writer.write(&RecordBatch::try_new(more, columns).unwrap()).unwrap();
    writer.close().unwrap();
    let error = lake.compact(&[later, new], u64::MAX).unwrap_err();
    assert!(matches!(&error, CompactError::Local(problem) if problem.to_string().contains("column host")), "{error}");
}

/// A file is full at the end of a row group, and another one begins.
#[test]
fn many_rows_are_several_files() {
    let lake = Lake::new();
    let input = file(lake.folder.path(), 0, &(0..1_000).collect::<Vec<_>>());
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(input).unwrap()).unwrap().build().unwrap();
    let batch: RecordBatch = reader.map(Result::unwrap).next().unwrap();
    let mut files = Folder::new(lake.space.path());
    let mut output = Output::new(&mut files, STEM.to_owned(), 0);
    let rows_of_batch = RecordBatch::try_new(Arc::new(schema()), batch.columns().to_vec()).unwrap();
    for _ in 0..102 {
        output.write(&rows_of_batch).unwrap();
    }
    let (paths, count) = output.finish().unwrap();
    assert_eq!((paths.len(), count), (2, 102_000));
    let counts: Vec<usize> =
        paths.iter().map(|path| rows(lake.space.path(), std::slice::from_ref(path)).len()).collect();
    assert_eq!(counts, [101_000, 1_000]);
}
