//! An hour's windows as a Parquet file of `metrics/`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, ArrayRef, BinaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::file::metadata::KeyValue;
use xxhash_rust::xxh3::Xxh3;

use super::latency::Latencies;
use super::point::{Point, Points};
use super::window::{Place, WINDOW_SECONDS, Weighed, Window, Windows};
use crate::properties::properties;
use crate::read::{ReadError, column, numbers, texts};
use crate::schema::{Column, Kind, UTC, number, schema_of, text};

/// The columns in their order.
const COLUMNS: [Column; 20] = [
    number("window_start", Kind::Time),
    text("service").repeats().compared(),
    number("window_seconds", Kind::Int32).repeats(),
    number("count", Kind::Int64),
    number("errors", Kind::Int64),
    number("error_rate", Kind::Double),
    number("latency_count", Kind::Int64),
    number("latency_p50", Kind::Double).nullable(),
    number("latency_p95", Kind::Double).nullable(),
    number("latency_p99", Kind::Double).nullable(),
    number("latency_max", Kind::Double).nullable(),
    Column { name: "latency_sketch", kind: Kind::Binary, nullable: true, repeats: false, compared: false },
    text("object").nullable().repeats(),
    number("first_line", Kind::Int64).nullable(),
    number("last_line", Kind::Int64).nullable(),
    text("error_object").nullable().repeats(),
    number("error_first_line", Kind::Int64).nullable(),
    number("error_last_line", Kind::Int64).nullable(),
    text("slowest_object").nullable().repeats(),
    number("slowest_line", Kind::Int64).nullable(),
];

/// The name of the entry of the file's metadata that lists what it was made of, as a JSON object of versions by name.
const MADE_OF: &str = "millrace.made_of";

/// Weights by which places were chosen, as a JSON array: of rows, errors and the slowest, a window after the other.
const WEIGHTS: &str = "millrace.weights";

/// The hash (XXH3, hex) of all sketches' bytes: the sketches' own reader does not stand all bytes that are none.
const SKETCHES_HASH: &str = "millrace.sketches_hash";

/// An hour's windows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HourFile {
    /// The windows.
    pub windows: Windows,
    /// The files of cleaned rows that they count, by their names in the hour's folder, and the version of each.
    pub made_of: BTreeMap<String, String>,
}

/// The Arrow schema of a window's row.
pub fn schema() -> Schema {
    schema_of(&COLUMNS)
}

/// Columns being built, in the order of [`COLUMNS`].
#[derive(Default)]
struct Columns {
    window_start: TimestampMicrosecondBuilder,
    service: StringBuilder,
    window_seconds: Int32Builder,
    count: Int64Builder,
    errors: Int64Builder,
    error_rate: Float64Builder,
    latency_count: Int64Builder,
    quantiles: [Float64Builder; 4],
    latency_sketch: BinaryBuilder,
    places: [(StringBuilder, Int64Builder, Int64Builder); 3],
}

impl HourFile {
    /// Writes the file: equal windows of equal files are equal bytes.
    ///
    /// # Errors
    /// Where Parquet's writer refuses the columns.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        let mut columns = Columns::default();
        let mut weights = Vec::with_capacity(self.windows.0.len());
        for ((start, service), window) in &self.windows.0 {
            columns.append(*start, service, window);
            weights.push(places(window).map(|place| place.map(|place| place.weight)));
        }
        let entry = |key: &str, value: serde_json::Result<String>| {
            value.map(|value| KeyValue::new(key.to_owned(), value)).map_err(io::Error::other)
        };
        let metadata = vec![
            entry(MADE_OF, serde_json::to_string(&self.made_of))?,
            entry(WEIGHTS, serde_json::to_string(&weights))?,
            entry(SKETCHES_HASH, Ok(sketches_hash([&columns.latency_sketch.finish_cloned()])))?,
        ];
        let properties = properties(&COLUMNS)?.set_key_value_metadata(Some(metadata)).build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let schema = Arc::new(schema());
        let rows = RecordBatch::try_new(schema.clone(), columns.finish()).map_err(io::Error::other)?;
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).map_err(io::Error::other)?;
        writer.write(&rows).map_err(io::Error::other)?;
        Ok(writer.into_inner().map_err(io::Error::other)?.into())
    }

    /// Reads a file that [`to_bytes`](Self::to_bytes) has made.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, ReadError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let metadata = builder.metadata().file_metadata().key_value_metadata();
        let entry = |key: &str| {
            let entry = metadata.and_then(|entries| entries.iter().find(|entry| entry.key == key));
            entry.and_then(|entry| entry.value.as_deref()).unwrap_or("null")
        };
        let unreadable = |key: &str, error: &serde_json::Error| {
            ReadError::Content(format!("the metadata {key} cannot be read: {error}"))
        };
        let made_of = serde_json::from_str(entry(MADE_OF)).map_err(|error| unreadable(MADE_OF, &error))?;
        let weights: Vec<[Option<u64>; 3]> =
            serde_json::from_str(entry(WEIGHTS)).map_err(|error| unreadable(WEIGHTS, &error))?;
        let hash = entry(SKETCHES_HASH).to_owned();
        let batches: Vec<RecordBatch> = builder.build()?.collect::<Result<_, _>>()?;
        let sketches: Vec<&BinaryArray> =
            batches.iter().map(|batch| column(batch, "latency_sketch")).collect::<Result<_, _>>()?;
        if sketches_hash(sketches) != hash {
            return Err(ReadError::Content("the sketches of latencies are damaged".to_owned()));
        }
        let mut windows = Windows::default();
        let mut weights = weights.into_iter();
        for batch in batches {
            read(&batch, &mut weights, &mut windows)?;
        }
        Ok(Self { windows, made_of })
    }
}

/// Adds the points of a file that [`HourFile::to_bytes`] has made, of which no more is read.
///
/// # Errors
/// [`ReadError`].
pub fn points_of(bytes: Bytes, points: &mut Points) -> Result<(), ReadError> {
    const READ: [&str; 6] = ["window_start", "service", "count", "errors", "latency_count", "latency_p95"];
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), READ);
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let starts = numbers::<TimestampMicrosecondType>(&batch, "window_start")?;
        let services = texts(&batch, "service")?;
        let [counts, errors, latency_counts] = [
            numbers::<Int64Type>(&batch, "count")?,
            numbers::<Int64Type>(&batch, "errors")?,
            numbers::<Int64Type>(&batch, "latency_count")?,
        ];
        let p95s = numbers::<Float64Type>(&batch, "latency_p95")?;
        for row in 0..batch.num_rows() {
            let count = |column: &PrimitiveArray<Int64Type>| u64::try_from(column.value(row)).unwrap_or_default();
            let latencies = p95s.is_valid(row).then(|| (count(latency_counts), p95s.value(row)));
            let point = Point::new(count(counts), count(errors), latencies);
            points.insert(services.value(row), starts.value(row).div_euclid(1_000_000), point);
        }
    }
    Ok(())
}

fn sketches_hash<'a>(columns: impl IntoIterator<Item = &'a BinaryArray>) -> String {
    let mut hash = Xxh3::new();
    for sketch in columns.into_iter().flatten().flatten() {
        hash.update(sketch);
    }
    format!("{:016x}", hash.digest())
}

fn places(window: &Window) -> [Option<&Weighed>; 3] {
    [&window.rows, &window.error_rows, &window.slowest].map(Option::as_ref)
}

fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Columns {
    fn append(&mut self, start: i64, service: &str, window: &Window) {
        self.window_start.append_value(start * 1_000_000);
        self.service.append_value(service);
        self.window_seconds.append_value(i32::try_from(WINDOW_SECONDS).unwrap_or(i32::MAX));
        self.count.append_value(long(window.count));
        self.errors.append_value(long(window.errors));
        self.error_rate.append_value(window.error_rate());
        self.latency_count.append_value(long(window.latencies.count()));
        let summary = window.latencies.summary();
        let quantiles = summary.map(|summary| [summary.p50, summary.p95, summary.p99, summary.max]);
        for (index, builder) in self.quantiles.iter_mut().enumerate() {
            builder.append_option(quantiles.map(|quantiles| quantiles[index]));
        }
        self.latency_sketch.append_option(summary.map(|_| window.latencies.to_bytes()));
        for ((object, first, last), weighed) in self.places.iter_mut().zip(places(window)) {
            let place = weighed.map(|weighed| &weighed.place);
            object.append_option(place.map(|place| &place.object));
            first.append_option(place.map(|place| long(place.first_line)));
            last.append_option(place.map(|place| long(place.last_line)));
        }
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.window_start.finish().with_timezone(UTC)),
            Arc::new(self.service.finish()),
            Arc::new(self.window_seconds.finish()),
            Arc::new(self.count.finish()),
            Arc::new(self.errors.finish()),
            Arc::new(self.error_rate.finish()),
            Arc::new(self.latency_count.finish()),
        ];
        columns.extend(self.quantiles.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.latency_sketch.finish()));
        for (object, first, last) in &mut self.places {
            columns.extend([Arc::new(object.finish()) as ArrayRef, Arc::new(first.finish()), Arc::new(last.finish())]);
        }
        // The slowest row is one line.
        columns.truncate(COLUMNS.len());
        columns
    }
}

/// The columns of a place: its object, its first line and its last.
type PlaceColumns<'b> = (&'b StringArray, &'b PrimitiveArray<Int64Type>, &'b PrimitiveArray<Int64Type>);

fn read(
    batch: &RecordBatch,
    weights: &mut impl Iterator<Item = [Option<u64>; 3]>,
    windows: &mut Windows,
) -> Result<(), ReadError> {
    let starts = numbers::<TimestampMicrosecondType>(batch, "window_start")?;
    let services = texts(batch, "service")?;
    let counts = numbers::<Int64Type>(batch, "count")?;
    let errors = numbers::<Int64Type>(batch, "errors")?;
    let latency_counts = numbers::<Int64Type>(batch, "latency_count")?;
    let sketches: &BinaryArray = column(batch, "latency_sketch")?;
    let place = |object, first, last| -> Result<PlaceColumns<'_>, ReadError> {
        Ok((texts(batch, object)?, numbers(batch, first)?, numbers(batch, last)?))
    };
    let all = place("object", "first_line", "last_line")?;
    let error = place("error_object", "error_first_line", "error_last_line")?;
    let slowest = place("slowest_object", "slowest_line", "slowest_line")?;
    for row in 0..batch.num_rows() {
        let service = services.value(row);
        let problem = |problem: &str| ReadError::Content(format!("{service}: {problem}"));
        let count = |column: &PrimitiveArray<Int64Type>| {
            u64::try_from(column.value(row)).map_err(|_| problem("a count is below zero"))
        };
        let latencies = if sketches.is_null(row) {
            Latencies::default()
        } else {
            let latencies = Latencies::from_bytes(sketches.value(row), count(latency_counts)?);
            latencies.map_err(|error| problem(&error.to_string()))?
        };
        let weights = weights.next().ok_or_else(|| problem("weights are missing"))?;
        let [rows, error_rows, slowest] =
            [(all, weights[0]), (error, weights[1]), (slowest, weights[2])].map(|((object, first, last), weight)| {
                let line = |lines: &PrimitiveArray<Int64Type>| u64::try_from(lines.value(row)).unwrap_or_default();
                let object = object.is_valid(row).then(|| object.value(row).to_owned())?;
                Some(Weighed {
                    weight: weight?,
                    place: Place { object, first_line: line(first), last_line: line(last) },
                })
            });
        let window = Window { count: count(counts)?, errors: count(errors)?, latencies, rows, error_rows, slowest };
        windows.0.insert((starts.value(row).div_euclid(1_000_000), service.to_owned()), window);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_place() -> impl Strategy<Value = Weighed> {
        ("[ab]", 1..4_u64, 1..4_u64, 0..3_u64).prop_map(|(object, first_line, more, weight)| Weighed {
            weight,
            place: Place { object, first_line, last_line: first_line + more },
        })
    }

    /// A file's windows: few minutes and services, so that they meet.
    fn any_windows() -> impl Strategy<Value = Windows> {
        let window = (
            proptest::collection::vec(prop_oneof![0.0..1e5_f64, any::<f64>()], 0..5),
            any_place(),
            proptest::option::of(any_place()),
            proptest::option::of(any_place()),
        )
            .prop_map(|(latencies, rows, error_rows, slowest)| {
                let mut window = Window {
                    count: rows.weight + 1,
                    errors: error_rows.as_ref().map_or(0, |rows| rows.weight),
                    rows: Some(rows),
                    error_rows,
                    slowest,
                    ..Window::default()
                };
                window.latencies.extend(latencies);
                window
            });
        proptest::collection::btree_map(((0..3_i64).prop_map(|minute| minute * 60), "[xy]"), window, 0..4)
            .prop_map(Windows)
    }

    fn of(windows: Windows) -> HourFile {
        HourFile { windows, made_of: BTreeMap::from([("a-0.parquet".to_owned(), "\"1\"".to_owned())]) }
    }

    proptest! {
        /// Objects come in any order, some of them by way of a file that was written before.
        #[test]
        fn the_bytes_depend_on_what_was_added_alone(
            files in proptest::collection::vec(any_windows(), 1..5),
            order in any::<prop::sample::Index>(),
        ) {
            let mut forward = Windows::default();
            for file in &files {
                forward.merge(file.clone());
            }
            let mut other = Windows::default();
            let mut files = files.clone();
            let count = files.len();
            files.rotate_left(order.index(count));
            for file in files.into_iter().rev() {
                other = HourFile::from_bytes(of(other).to_bytes().unwrap()).unwrap().windows;
                other.merge(file);
            }
            let bytes = of(forward).to_bytes().unwrap();
            prop_assert_eq!(&of(other).to_bytes().unwrap(), &bytes);
            let read = HourFile::from_bytes(bytes.clone()).unwrap();
            let mut points = Points::default();
            points_of(bytes.clone(), &mut points).unwrap();
            prop_assert_eq!(points, Points::from(&read.windows));
            prop_assert_eq!(&read.made_of["a-0.parquet"], "\"1\"");
            prop_assert_eq!(&read.to_bytes().unwrap(), &bytes);
        }
    }

    #[test]
    fn what_is_no_file_of_windows_is_refused() {
        let bytes = HourFile::default().to_bytes().unwrap();
        assert_eq!(HourFile::from_bytes(bytes.clone()).unwrap(), HourFile::default());
        assert!(matches!(HourFile::from_bytes(bytes.slice(..bytes.len() - 9)), Err(ReadError::Parquet(_))));
        assert!(matches!(HourFile::from_bytes(Bytes::from_static(b"rows")), Err(ReadError::Parquet(_))));

        let mut window = Window::default();
        window.latencies.extend((1..=50).map(f64::from));
        let file = of(Windows(BTreeMap::from([((60, "pay".to_owned()), window.clone())])));
        let bytes = file.to_bytes().unwrap();
        assert_eq!(HourFile::from_bytes(bytes.clone()).unwrap(), file);
        let hash = sketches_hash([&BinaryArray::from(vec![&*window.latencies.to_bytes()])]);
        let at = bytes.windows(hash.len()).position(|part| part == hash.as_bytes()).expect("the hash");
        let mut damaged = bytes.to_vec();
        damaged[at] = if damaged[at] == b'0' { b'1' } else { b'0' };
        let error = HourFile::from_bytes(damaged.into()).unwrap_err();
        assert_eq!(error.to_string(), "the sketches of latencies are damaged");
    }
}
