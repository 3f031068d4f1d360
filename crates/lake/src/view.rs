//! A row to read: as it stands in a batch, and as JSON on topic `cleaned-logs`.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::batch::{Batch, Row, Text};

/// A cleaned row, with the names of its columns.
#[derive(Debug, Clone, Serialize)]
pub struct RowView<'b> {
    /// Names the record in the whole lake.
    pub id: &'b str,
    /// RFC 3339 in UTC, with all digits that the record has.
    pub time: String,
    /// The same in Unix nanoseconds.
    pub time_ns: i64,
    /// `record`, `inferred` or `observed`.
    pub time_source: &'static str,
    /// When the record was taken, in RFC 3339.
    pub observed_time: String,
    /// OpenTelemetry's number, from 1 to 24.
    pub severity_number: Option<u8>,
    /// The level as printed.
    pub severity_text: Option<&'b str>,
    /// The program that wrote the record.
    pub service: Option<&'b str>,
    /// The message.
    pub body: &'b str,
    /// What else the record has, by name.
    pub attributes: Attributes<'b>,
    /// 32 lower-case hex digits.
    pub trace_id: Option<&'b str>,
    /// 16 lower-case hex digits.
    pub span_id: Option<&'b str>,
    /// The outer exception's type.
    pub exception_type: Option<&'b str>,
    /// The outer exception's message.
    pub exception_message: Option<&'b str>,
    /// The whole stack trace as printed.
    pub exception_stacktrace: Option<&'b str>,
    /// Milliseconds.
    pub duration_ms: Option<f64>,
    /// HTTP status.
    pub status: Option<i32>,
    /// The format that the record was read by.
    pub format: &'static str,
    /// The object or file.
    pub source: &'b str,
    /// Its first line there, from 1.
    pub line: u64,
    /// Physical lines joined into it.
    pub lines: u32,
}

/// Names and values.
#[derive(Debug, Clone)]
pub struct Attributes<'b>(Vec<(&'b str, Option<&'b str>)>);

impl<'b> Attributes<'b> {
    /// The names, in the order in which they were printed.
    pub fn names(&self) -> impl Iterator<Item = &'b str> {
        self.0.iter().map(|&(name, _)| name)
    }
}

impl RowView<'_> {
    /// Cuts the texts of a row to about this many bytes in all, and says so in the attribute `truncated`.
    pub fn shorten(&mut self, limit: usize) {
        let cut = |text: &mut &str| {
            let limit = limit / 4;
            *text = text.get(..text.floor_char_boundary(limit)).unwrap_or_default();
        };
        cut(&mut self.body);
        for text in [&mut self.exception_message, &mut self.exception_stacktrace].into_iter().flatten() {
            cut(text);
        }
        let mut left = limit / 4;
        self.attributes.0.retain(|(name, value)| {
            let size = name.len() + value.map_or(0, str::len);
            let fits = size <= left;
            left -= if fits { size } else { 0 };
            fits
        });
        self.attributes.0.push(("truncated", Some("true")));
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Batch {
    /// The rows, in the order in which they were read.
    pub fn views<'b>(&'b self, source: &'b str) -> impl Iterator<Item = RowView<'b>> {
        self.rows().iter().map(move |row| self.view(row, source))
    }

    fn view<'b>(&'b self, row: &Row, source: &'b str) -> RowView<'b> {
        let text = |text: Text| self.text(text);
        let attributes = self.attributes(row).iter();
        RowView {
            id: text(row.id).unwrap_or_default(),
            time: rfc3339(row.time),
            time_ns: row.time,
            time_source: row.time_source.as_str(),
            observed_time: rfc3339(row.observed),
            severity_number: Some(row.severity).filter(|&number| number > 0),
            severity_text: text(row.severity_text),
            service: text(row.service),
            body: text(row.body).unwrap_or_default(),
            attributes: Attributes(
                attributes.map(|&(key, value)| (text(key).unwrap_or_default(), text(value))).collect(),
            ),
            trace_id: text(row.trace_id),
            span_id: text(row.span_id),
            exception_type: text(row.exception_type),
            exception_message: text(row.exception_message),
            exception_stacktrace: text(row.exception_stacktrace),
            duration_ms: Some(row.duration).filter(|duration| !duration.is_nan()),
            status: Some(row.status).filter(|&status| status > 0),
            format: row.format,
            source,
            line: row.line,
            lines: row.lines,
        }
    }
}

/// Unix nanoseconds in RFC 3339: all times of 64 bits are in its range.
fn rfc3339(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map(|time| time.to_string()).unwrap_or_default()
}
