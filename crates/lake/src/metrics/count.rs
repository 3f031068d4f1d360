//! The windows of a file of cleaned rows.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::reader::ChunkReader;

use super::latency::{Latencies, steps};
use super::window::{Place, WINDOW_SECONDS, Weighed, Windows, keep_greatest};
use crate::read::{ColumnValues, ReadError, Table};
use crate::schema::Kind;
use crate::severity::Severity;

/// The least HTTP status of an error.
const SERVER_ERROR: i32 = 500;

/// Counts the rows of a file of cleaned rows by minute and service. `unknown` is the service of rows that name none.
///
/// # Errors
/// [`ReadError`].
pub fn windows_of(file: impl ChunkReader + 'static, unknown: &str) -> Result<Windows, ReadError> {
    let mut table = Table::open(file)?;
    let mut columns = Columns::default();
    let mut counter = Counter::default();
    while let Some(rows) = columns.read(&mut table)? {
        counter.count(&columns, rows, unknown)?;
    }
    Ok(counter.finish())
}

/// The columns of cleaned rows that count.
struct Columns {
    time: ColumnValues<Int64Type>,
    severity: ColumnValues<Int32Type>,
    service: ColumnValues<ByteArrayType>,
    duration: ColumnValues<DoubleType>,
    status: ColumnValues<Int32Type>,
    source: ColumnValues<ByteArrayType>,
    line: ColumnValues<Int64Type>,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            time: ColumnValues::new("time", Kind::Time),
            severity: ColumnValues::new("severity_number", Kind::Int32),
            service: ColumnValues::new("service", Kind::Text),
            duration: ColumnValues::new("duration_ms", Kind::Double),
            status: ColumnValues::new("status", Kind::Int32),
            source: ColumnValues::new("source", Kind::Text),
            line: ColumnValues::new("line", Kind::Int64),
        }
    }
}

impl Columns {
    /// Reads the next rows; returns how many there are, none after the last one.
    fn read(&mut self, table: &mut Table<impl ChunkReader + 'static>) -> Result<Option<usize>, ReadError> {
        let Self { time, severity, service, duration, status, source, line } = self;
        table.next(&mut [time, severity, service, duration, status, source, line])
    }
}

/// Windows by minute, service and object: of each object its own place is kept.
#[derive(Default)]
struct Counter {
    services: Names,
    sources: Names,
    parts: HashMap<(i64, u32, u32), Part, FixedState>,
}

/// Names, numbered from 0.
#[derive(Default)]
struct Names {
    numbers: HashMap<Vec<u8>, u32, FixedState>,
    texts: Vec<String>,
    /// The number of the one that was asked for last.
    last: u32,
}

/// The rows of one object in a window.
#[derive(Default)]
struct Part {
    count: u64,
    errors: u64,
    latencies: Latencies,
    lines: Lines,
    error_lines: Lines,
    slowest: Option<(u64, u64)>,
}

/// The first and last of some lines.
#[derive(Default)]
struct Lines(Option<(u64, u64)>);

impl Counter {
    fn count(&mut self, columns: &Columns, rows: usize, unknown: &str) -> Result<(), ReadError> {
        for row in 0..rows {
            let minute = columns.time.required(row)?.div_euclid(WINDOW_SECONDS * 1_000_000) * WINDOW_SECONDS;
            let service = columns.service.get(row).map_or(unknown.as_bytes(), ByteArray::data);
            let source = columns.source.required(row)?.data();
            let key = (minute, self.services.number(service)?, self.sources.number(source)?);
            let part = self.parts.entry(key).or_default();
            let line = u64::try_from(*columns.line.required(row)?).unwrap_or_default();
            part.count += 1;
            part.lines.add(line);
            let is_error =
                columns.severity.get(row).is_some_and(|&number| number >= i32::from(Severity::ERROR.number()))
                    || columns.status.get(row).is_some_and(|&status| status >= SERVER_ERROR);
            if is_error {
                part.errors += 1;
                part.error_lines.add(line);
            }
            if let Some(&duration) = columns.duration.get(row) {
                part.latencies.add(duration);
                part.slowest = part.slowest.max(steps(duration).map(|steps| (steps, line)));
            }
        }
        Ok(())
    }

    fn finish(self) -> Windows {
        let mut windows = Windows::default();
        for ((minute, service, source), part) in self.parts {
            let window = windows.0.entry((minute, self.services.name(service))).or_default();
            window.count += part.count;
            window.errors += part.errors;
            window.latencies.merge(&part.latencies);
            let place = |(first_line, last_line)| Place { object: self.sources.name(source), first_line, last_line };
            let weighed = |lines: &Lines, weight| lines.0.map(|lines| Weighed { weight, place: place(lines) });
            keep_greatest(&mut window.rows, weighed(&part.lines, part.count).as_ref());
            keep_greatest(&mut window.error_rows, weighed(&part.error_lines, part.errors).as_ref());
            let slowest = part.slowest.map(|(weight, line)| Weighed { weight, place: place((line, line)) });
            keep_greatest(&mut window.slowest, slowest.as_ref());
        }
        windows
    }
}

impl Names {
    fn number(&mut self, name: &[u8]) -> Result<u32, ReadError> {
        if self.texts.get(self.last as usize).is_some_and(|last| last.as_bytes() == name) {
            return Ok(self.last);
        }
        self.last = if let Some(&number) = self.numbers.get(name) {
            number
        } else {
            let text = String::from_utf8(name.to_owned());
            self.texts.push(text.map_err(|error| ReadError::Content(format!("a name: {error}")))?);
            let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
            self.numbers.insert(name.to_owned(), number);
            number
        };
        Ok(self.last)
    }

    fn name(&self, number: u32) -> String {
        self.texts.get(number as usize).cloned().unwrap_or_default()
    }
}

impl Lines {
    fn add(&mut self, line: u64) {
        let (first, last) = self.0.unwrap_or((line, line));
        self.0 = Some((first.min(line), last.max(line)));
    }
}
