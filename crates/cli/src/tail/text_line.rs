//! Formats a record as text: timestamp, partition and offset, key, value; its headers on a second line.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use millrace_kafka::Record;

use crate::terminal_text::one_line;

const POSITION: Style = AnsiColor::Cyan.on_default();
const KEY: Style = Style::new().bold();
const DIMMED: Style = Style::new().dimmed();

/// The record's lines, with styles.
pub(super) fn of(record: &Record<'_>) -> String {
    let mut lines = String::new();
    let time = jiff::Timestamp::from_millisecond(record.timestamp()).unwrap_or_default();
    let key = record.key().map_or_else(|| "-".to_owned(), |key| one_line(key).to_string());
    // Writing to a string cannot fail.
    let _ = write!(
        lines,
        "{DIMMED}{time:.3}{DIMMED:#} {POSITION}{}@{}{POSITION:#} {KEY}{key}{KEY:#} ",
        record.partition(),
        record.offset()
    );
    match record.value() {
        Some(value) => {
            let _ = writeln!(lines, "{}", one_line(value));
        }
        None => {
            let _ = writeln!(lines, "{DIMMED}(null){DIMMED:#}");
        }
    }
    let headers: Vec<String> = record.headers().map(header).collect();
    if !headers.is_empty() {
        let _ = writeln!(lines, "  {DIMMED}{}{DIMMED:#}", headers.join(" "));
    }
    lines
}

fn header((name, value): (&str, Option<&[u8]>)) -> String {
    let name = one_line(name.as_bytes());
    match value {
        Some(value) => format!("{name}={}", one_line(value)),
        None => name.to_string(),
    }
}
