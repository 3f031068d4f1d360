//! The windows of a file of cleaned rows.

use std::collections::HashMap;

use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use foldhash::fast::FixedState;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::latency::{Latencies, steps};
use super::window::{Place, WINDOW_SECONDS, Weighed, Windows, keep_greatest};
use crate::read::{ReadError, numbers, texts};
use crate::severity::Severity;

/// The columns of cleaned rows that count.
const COLUMNS: [&str; 7] = ["time", "severity_number", "service", "duration_ms", "status", "source", "line"];

/// The least HTTP status of an error.
const SERVER_ERROR: i32 = 500;

/// Counts the rows of a file of cleaned rows by minute and service. `unknown` is the service of rows that name none.
///
/// # Errors
/// [`ReadError`].
pub fn windows_of(file: impl ChunkReader + 'static, unknown: &str) -> Result<Windows, ReadError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    let mut counter = Counter::default();
    for batch in builder.with_projection(mask).build()? {
        counter.count(&batch?, unknown)?;
    }
    Ok(counter.finish())
}

/// Windows by minute, service and object: of each object its own place is kept.
#[derive(Default)]
struct Counter {
    names: Names,
    parts: HashMap<(i64, u32, u32), Part, FixedState>,
}

#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32, FixedState>,
    names: Vec<String>,
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
    fn count(&mut self, batch: &RecordBatch, unknown: &str) -> Result<(), ReadError> {
        let times = numbers::<TimestampMicrosecondType>(batch, "time")?;
        let severities = numbers::<Int32Type>(batch, "severity_number")?;
        let services = texts(batch, "service")?;
        let durations = numbers::<Float64Type>(batch, "duration_ms")?;
        let statuses = numbers::<Int32Type>(batch, "status")?;
        let sources = texts(batch, "source")?;
        let lines = numbers::<Int64Type>(batch, "line")?;
        for row in 0..batch.num_rows() {
            let minute = times.value(row).div_euclid(WINDOW_SECONDS * 1_000_000) * WINDOW_SECONDS;
            let service = if services.is_null(row) { unknown } else { services.value(row) };
            let key = (minute, self.names.number(service), self.names.number(sources.value(row)));
            let part = self.parts.entry(key).or_default();
            let line = u64::try_from(lines.value(row)).unwrap_or_default();
            part.count += 1;
            part.lines.add(line);
            let is_error = severities.is_valid(row) && severities.value(row) >= i32::from(Severity::ERROR.number())
                || statuses.is_valid(row) && statuses.value(row) >= SERVER_ERROR;
            if is_error {
                part.errors += 1;
                part.error_lines.add(line);
            }
            if durations.is_valid(row) {
                let duration = durations.value(row);
                part.latencies.add(duration);
                part.slowest = part.slowest.max(steps(duration).map(|steps| (steps, line)));
            }
        }
        Ok(())
    }

    fn finish(self) -> Windows {
        let mut windows = Windows::default();
        for ((minute, service, source), part) in self.parts {
            let name = |number: u32| self.names.names.get(number as usize).cloned().unwrap_or_default();
            let window = windows.0.entry((minute, name(service))).or_default();
            window.count += part.count;
            window.errors += part.errors;
            window.latencies.merge(&part.latencies);
            let place = |(first_line, last_line)| Place { object: name(source), first_line, last_line };
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
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

impl Lines {
    fn add(&mut self, line: u64) {
        let (first, last) = self.0.unwrap_or((line, line));
        self.0 = Some((first.min(line), last.max(line)));
    }
}
