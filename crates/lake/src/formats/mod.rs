//! The log formats: one file and one line of [`registry`] each.
//!
//! A line's format is told by reading it: the first format of the registry that reads it wins, after the one that read the
//! source's line before. What none reads is a plain record.

mod access;
mod android;
mod aws;
mod fluentd;
mod glog;
mod go_panic;
mod json;
mod json_shapes;
mod json_stack;
mod jul;
mod logfmt;
mod patterns;
mod plain;
mod postgres;
mod rust_panic;
mod syslog;
pub(crate) mod wrap;

use std::collections::BTreeSet;

use crate::draft::Draft;

/// Which of two keys of the same name counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    First,
    Last,
}

/// Which lines below a record belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joins {
    /// None.
    Nothing,
    /// Calls of a stack trace, and what else is indented.
    Traces,
    /// All that begin no record: each record of this format begins with its time.
    Everything,
}

/// What of a record so far says whether it is open; each line is looked at once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Open {
    /// Physical lines.
    pub(crate) lines: u32,
    /// Whether a quote behind an equals sign is still open.
    pub(crate) in_quotes: bool,
    escaped: bool,
    after_equals: bool,
}

impl Open {
    /// Takes the next line.
    pub(crate) fn take(&mut self, line: &str) {
        self.lines += 1;
        let bytes = line.as_bytes();
        let opens = self.after_equals && bytes.first() == Some(&b'"')
            || memchr::memchr_iter(b'=', bytes).any(|at| bytes.get(at + 1) == Some(&b'"'));
        // Most lines have no such quote, and are not read byte by byte.
        if !self.in_quotes && !opens {
            self.after_equals = bytes.last().map_or(self.after_equals, |&last| last == b'=');
            return;
        }
        for &byte in bytes {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_quotes => self.escaped = true,
                b'"' if self.in_quotes => self.in_quotes = false,
                b'"' if self.after_equals => self.in_quotes = true,
                _ => {}
            }
            self.after_equals = byte == b'=';
        }
    }
}

/// A log format.
pub(crate) trait Format {
    /// The names that column `format` has for its rows.
    fn names(&self) -> Vec<&'static str>;

    /// Reads a record, whose further lines are behind line breaks, into a row; returns the name of its format. `None` where
    /// the first line is of another format; what was set then does not count.
    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str>;

    /// Whether the format reads much that others read better.
    fn is_general(&self) -> bool {
        false
    }

    /// Which lines below a record belong to it.
    fn joins(&self) -> Joins {
        Joins::Nothing
    }

    /// Whether a record so far is open: its next line belongs to it whatever it is.
    fn is_open(&self, _record: Open) -> bool {
        false
    }

    /// What a line adds to the record, where the format has a form of its own to go on.
    fn continuation<'l>(&self, _record: &str, _line: &'l str) -> Option<&'l str> {
        None
    }
}

/// The names that column `format` may have.
pub fn format_names() -> BTreeSet<&'static str> {
    registry().iter().flat_map(|format| format.names()).collect()
}

/// All formats, in the order in which they are tried.
pub(crate) fn registry() -> Vec<Box<dyn Format + Send>> {
    let mut formats: Vec<Box<dyn Format + Send>> = vec![
        Box::new(json::Json::default()),
        Box::new(access::Access),
        Box::new(access::Servers),
        Box::new(glog::Glog),
        Box::new(aws::LoadBalancer),
        Box::new(aws::Lambda),
        Box::new(android::Logcat),
        Box::new(postgres::PostgreSql),
        Box::new(go_panic::GoPanic),
        Box::new(rust_panic::RustPanic),
        Box::new(jul::JavaUtilLogging),
        Box::new(fluentd::Fluentd::default()),
        Box::new(access::HaProxy),
    ];
    formats.extend(patterns::specific());
    formats.push(Box::new(syslog::Syslog::default()));
    formats.push(Box::new(logfmt::Logfmt));
    formats.extend(patterns::general());
    formats.push(Box::new(plain::Plain));
    formats
}
