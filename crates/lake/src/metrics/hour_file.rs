//! An hour's windows as a Parquet file of `metrics/`.

use std::collections::BTreeMap;
use std::io;

use arrow_schema::Schema;
use bytes::Bytes;
use parquet::data_type::{ByteArrayType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use xxhash_rust::xxh3::Xxh3;

use super::latency::Latencies;
use super::point::{Point, Points};
use super::window::{Place, WINDOW_SECONDS, Weighed, Window, Windows};
use crate::encode::{Chunk, Compressor};
use crate::parquet::file_writer;
use crate::read::{ColumnValues, ReadError, Table};
use crate::schema::{Column, Kind, number, schema_of, text};

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

impl HourFile {
    /// Writes the file: equal windows of equal files are equal bytes.
    ///
    /// # Errors
    /// Where Parquet's writer refuses the columns.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        let mut file = file_writer(Vec::new(), &COLUMNS)?;
        let mut chunks: [Chunk; COLUMNS.len()] = Chunk::all(file.schema_descr(), &COLUMNS)?;
        let mut compressor = Compressor::default();
        let mut weights = Vec::with_capacity(self.windows.0.len());
        let mut sketches = Xxh3::new();
        for ((start, service), window) in &self.windows.0 {
            append(&mut chunks, *start, service, window, &mut sketches);
            weights.push(places(window).map(|place| place.map(|place| place.weight)));
            chunks.iter_mut().try_for_each(|chunk| chunk.end_full_page(&mut compressor))?;
        }
        let mut row_group = file.next_row_group()?;
        for chunk in &mut chunks {
            chunk.finish(&mut compressor)?.append_to(&mut row_group)?;
        }
        row_group.close()?;
        for (key, value) in [
            (MADE_OF, serde_json::to_string(&self.made_of)?),
            (WEIGHTS, serde_json::to_string(&weights)?),
            (SKETCHES_HASH, hex(&sketches)),
        ] {
            file.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        Ok(file.into_inner()?.into())
    }

    /// Reads a file that [`to_bytes`](Self::to_bytes) has made.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, ReadError> {
        let mut table = Table::open(bytes)?;
        let entry = |key: &str| table.metadata(key).unwrap_or("null");
        let unreadable = |key: &str, error: &serde_json::Error| {
            ReadError::Content(format!("the metadata {key} cannot be read: {error}"))
        };
        let made_of = serde_json::from_str(entry(MADE_OF)).map_err(|error| unreadable(MADE_OF, &error))?;
        let weights: Vec<[Option<u64>; 3]> =
            serde_json::from_str(entry(WEIGHTS)).map_err(|error| unreadable(WEIGHTS, &error))?;
        let expected = entry(SKETCHES_HASH).to_owned();
        let mut sketches: ColumnValues<ByteArrayType> = ColumnValues::new("latency_sketch", Kind::Binary);
        let mut hash = Xxh3::new();
        while let Some(rows) = table.next(&mut [&mut sketches])? {
            (0..rows).filter_map(|row| sketches.get(row)).for_each(|sketch| hash.update(sketch.data()));
        }
        if hex(&hash) != expected {
            return Err(ReadError::Content("the sketches of latencies are damaged".to_owned()));
        }
        table.rewind();
        Ok(Self { windows: read_windows(&mut table, weights)?, made_of })
    }
}
/// Adds the points of a file that [`HourFile::to_bytes`] has made, of which no more is read.
///
/// # Errors
/// [`ReadError`].
pub fn points_of(bytes: Bytes, points: &mut Points) -> Result<(), ReadError> {
    let mut table = Table::open(bytes)?;
    let (mut starts, mut services) =
        (ColumnValues::new("window_start", Kind::Time), ColumnValues::new("service", Kind::Text));
    let [mut counts, mut errors, mut latency_counts] =
        ["count", "errors", "latency_count"].map(|name| ColumnValues::new(name, Kind::Int64));
    let mut p95s: ColumnValues<DoubleType> = ColumnValues::new("latency_p95", Kind::Double);
    while let Some(rows) =
        table.next(&mut [&mut starts, &mut services, &mut counts, &mut errors, &mut latency_counts, &mut p95s])?
    {
        for row in 0..rows {
            let count = |column: &ColumnValues<Int64Type>| -> Result<u64, ReadError> {
                Ok(u64::try_from(*column.required(row)?).unwrap_or_default())
            };
            let latency_count = count(&latency_counts)?;
            let latencies = p95s.get(row).map(|&p95| (latency_count, p95));
            let point = Point::new(count(&counts)?, count(&errors)?, latencies);
            points.insert(services.text(row)?.unwrap_or_default(), second(&starts, row)?, point);
        }
    }
    Ok(())
}

/// The Unix second of a time.
fn second(times: &ColumnValues<Int64Type>, row: usize) -> Result<i64, ReadError> {
    Ok(times.required(row)?.div_euclid(1_000_000))
}

fn hex(hash: &Xxh3) -> String {
    format!("{:016x}", hash.digest())
}

fn places(window: &Window) -> [Option<&Weighed>; 3] {
    [&window.rows, &window.error_rows, &window.slowest].map(Option::as_ref)
}

/// Appends a window's row, and its sketch to the hash of all.
fn append(columns: &mut [Chunk; COLUMNS.len()], start: i64, name: &str, window: &Window, sketches: &mut Xxh3) {
    let long = |number: u64| Some(i64::try_from(number).unwrap_or(i64::MAX));
    let [
        window_start,
        service,
        window_seconds,
        count,
        errors,
        error_rate,
        latency_count,
        latency_p50,
        latency_p95,
        latency_p99,
        latency_max,
        latency_sketch,
        object,
        first_line,
        last_line,
        error_object,
        error_first_line,
        error_last_line,
        slowest_object,
        slowest_line,
    ] = columns;
    window_start.int64(Some(start * 1_000_000));
    service.text(Some(name.as_bytes()));
    window_seconds.int32(i32::try_from(WINDOW_SECONDS).ok());
    count.int64(long(window.count));
    errors.int64(long(window.errors));
    error_rate.double(Some(window.error_rate()));
    latency_count.int64(long(window.latencies.count()));
    let summary = window.latencies.summary();
    latency_p50.double(summary.map(|summary| summary.p50));
    latency_p95.double(summary.map(|summary| summary.p95));
    latency_p99.double(summary.map(|summary| summary.p99));
    latency_max.double(summary.map(|summary| summary.max));
    let sketch = summary.map(|_| window.latencies.to_bytes());
    sketches.update(sketch.as_deref().unwrap_or_default());
    latency_sketch.text(sketch.as_deref());
    let [rows, error_rows, slowest] = places(window).map(|weighed| weighed.map(|weighed| &weighed.place));
    for (place, object, first, last) in
        [(rows, object, first_line, last_line), (error_rows, error_object, error_first_line, error_last_line)]
    {
        object.text(place.map(|place| place.object.as_bytes()));
        first.int64(place.and_then(|place| long(place.first_line)));
        last.int64(place.and_then(|place| long(place.last_line)));
    }
    slowest_object.text(slowest.map(|place| place.object.as_bytes()));
    slowest_line.int64(slowest.and_then(|place| long(place.first_line)));
}

fn read_windows(table: &mut Table<Bytes>, weights: Vec<[Option<u64>; 3]>) -> Result<Windows, ReadError> {
    let (mut starts, mut services) =
        (ColumnValues::new("window_start", Kind::Time), ColumnValues::new("service", Kind::Text));
    let mut sketches: ColumnValues<ByteArrayType> = ColumnValues::new("latency_sketch", Kind::Binary);
    let [mut counts, mut errors, mut latency_counts] =
        ["count", "errors", "latency_count"].map(|name| ColumnValues::new(name, Kind::Int64));
    let mut objects = ["object", "error_object", "slowest_object"].map(|name| ColumnValues::new(name, Kind::Text));
    // The slowest row is one line.
    let mut first_lines =
        ["first_line", "error_first_line", "slowest_line"].map(|name| ColumnValues::new(name, Kind::Int64));
    let mut last_lines = ["last_line", "error_last_line"].map(|name| ColumnValues::new(name, Kind::Int64));
    let mut windows = Windows::default();
    let mut weights = weights.into_iter();
    loop {
        let [object, error_object, slowest_object] = &mut objects;
        let [first_line, error_first_line, slowest_line] = &mut first_lines;
        let [last_line, error_last_line] = &mut last_lines;
        let Some(rows) = table.next(&mut [
            &mut starts,
            &mut services,
            &mut counts,
            &mut errors,
            &mut latency_counts,
            &mut sketches,
            object,
            first_line,
            last_line,
            error_object,
            error_first_line,
            error_last_line,
            slowest_object,
            slowest_line,
        ])?
        else {
            return Ok(windows);
        };
        for row in 0..rows {
            let service = services.text(row)?.unwrap_or_default();
            let problem = |problem: &str| ReadError::Content(format!("{service}: {problem}"));
            let count = |column: &ColumnValues<Int64Type>| {
                u64::try_from(*column.required(row)?).map_err(|_| problem("a count is below zero"))
            };
            let latencies = match sketches.get(row) {
                None => Latencies::default(),
                Some(sketch) => Latencies::from_bytes(sketch.data(), count(&latency_counts)?)
                    .map_err(|error| problem(&error.to_string()))?,
            };
            let weights = weights.next().ok_or_else(|| problem("weights are missing"))?;
            let place = |index: usize| -> Result<Option<Weighed>, ReadError> {
                let line = |lines: &ColumnValues<Int64Type>| {
                    lines.get(row).and_then(|&line| u64::try_from(line).ok()).unwrap_or_default()
                };
                let (Some(weight), Some(object)) = (weights[index], objects[index].text(row)?) else { return Ok(None) };
                let first_line = line(&first_lines[index]);
                let last_line = last_lines.get(index).map_or(first_line, line);
                Ok(Some(Weighed { weight, place: Place { object: object.to_owned(), first_line, last_line } }))
            };
            let window = Window {
                count: count(&counts)?,
                errors: count(&errors)?,
                latencies,
                rows: place(0)?,
                error_rows: place(1)?,
                slowest: place(2)?,
            };
            windows.0.insert((second(&starts, row)?, service.to_owned()), window);
        }
    }
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
        let mut hash = Xxh3::new();
        hash.update(&window.latencies.to_bytes());
        let hash = hex(&hash);
        let at = bytes.windows(hash.len()).position(|part| part == hash.as_bytes()).expect("the hash");
        let mut damaged = bytes.to_vec();
        damaged[at] = if damaged[at] == b'0' { b'1' } else { b'0' };
        let error = HourFile::from_bytes(damaged.into()).unwrap_err();
        assert_eq!(error.to_string(), "the sketches of latencies are damaged");
    }
}
