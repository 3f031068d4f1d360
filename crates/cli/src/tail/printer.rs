//! Prints records, and counts them.

use std::io::{self, Write};
use std::num::NonZeroU64;

use anstream::AutoStream;
use millrace_kafka::Record;

use super::{cloud_event_line, json_line, text_line};

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object a line.
    Json,
    /// One CloudEvent a line.
    CloudEvents,
    /// For a person; in colour on a terminal.
    Text,
}

/// Standard output, and how many records remain to be printed.
pub(super) struct Printer {
    out: Box<dyn Write + Send>,
    format: Format,
    left: Option<u64>,
}

impl Printer {
    /// Prints to standard output, without limit or `count` records.
    pub(super) fn new(format: Format, count: Option<NonZeroU64>) -> Self {
        let stdout = io::BufWriter::new(io::stdout());
        let out: Box<dyn Write + Send> = match format {
            Format::Json | Format::CloudEvents => Box::new(stdout),
            Format::Text => {
                let colours = AutoStream::choice(&io::stdout());
                Box::new(AutoStream::new(Box::new(stdout) as Box<dyn Write + Send>, colours))
            }
        };
        Self { out, format, left: count.map(NonZeroU64::get) }
    }

    /// Formats a record.
    pub(super) fn line(&self, record: &Record<'_>) -> Vec<u8> {
        match self.format {
            Format::Json => json_line::of(record),
            Format::CloudEvents => cloud_event_line::of(record),
            Format::Text => text_line::of(record).into_bytes(),
        }
    }

    /// Prints a record formatted by [`line`](Self::line).
    pub(super) fn print(&mut self, line: &[u8]) -> io::Result<()> {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.out.write_all(line)
    }

    /// Flushes standard output.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Whether `count` records were printed.
    pub(super) fn is_done(&self) -> bool {
        self.left == Some(0)
    }
}
