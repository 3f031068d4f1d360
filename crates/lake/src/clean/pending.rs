//! A record that is still open, and which lines belong to it.

use super::{JOINED_BYTES_LIMIT, Logical, stream};
use crate::draft::Aside;
use crate::exception;
use crate::formats::wrap::Meta;
use crate::formats::{Format, Joins, Open};
use crate::stamp::Stamp;

/// Most lines of a record.
const JOINED_LINES_LIMIT: u32 = 1_000;

/// Bytes at the start of a line in which a time of its own is looked for.
const OWN_TIME_WITHIN: usize = 64;

/// A record whose further lines may follow.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) text: String,
    pub(super) meta: Option<Meta>,
    pub(super) encoding: Option<&'static str>,
    pub(super) format: usize,
    pub(super) line: u64,
    pub(super) lines: u32,
    pub(super) open: Open,
    /// The row as it was read when its first line was told: it counts if no further line comes.
    pub(super) read: Option<(Aside, &'static str)>,
    /// Blank lines since its last line: they belong to it if it goes on.
    pub(super) blank: u32,
}

impl Pending {
    /// The stream whose lines it takes.
    pub(super) fn stream(&self) -> &str {
        stream(self.meta.as_ref())
    }

    /// Whether a line belongs to it whatever formats would read the line.
    pub(super) fn goes_on(&self, format: &dyn Format, text: &str) -> bool {
        self.has_room(text)
            && (format.is_open(self.open)
                || format.continuation(&self.text, text).is_some()
                || format.joins() != Joins::Nothing && exception::continues(&self.text, text))
    }

    /// Whether a line that begins no record belongs to it.
    pub(super) fn takes_unknown(&self, format: &dyn Format, text: &str) -> bool {
        let belongs = match format.joins() {
            // A line with a time of its own, in a form that is not known, is of another record.
            Joins::Everything => !has_own_time(text),
            Joins::Traces => exception::in_calls_of_python(&self.text),
            Joins::Nothing => false,
        };
        belongs && self.has_room(text)
    }

    fn has_room(&self, text: &str) -> bool {
        self.lines < JOINED_LINES_LIMIT && self.text.len() + text.len() < JOINED_BYTES_LIMIT
    }

    /// Adds a line, and the blank ones before it.
    pub(super) fn join(&mut self, format: &dyn Format, logical: &Logical<'_>) {
        let added = format.continuation(&self.text, logical.text).unwrap_or(logical.text).to_owned();
        for _ in 0..self.blank {
            self.text.push('\n');
        }
        self.text.push('\n');
        self.text.push_str(&added);
        self.open.take(&added);
        self.read = None;
        self.lines += logical.lines + self.blank;
        self.blank = 0;
    }
}

/// Whether there is a whole date and time near the start of a line.
fn has_own_time(text: &str) -> bool {
    let near = text.bytes().take(OWN_TIME_WITHIN).enumerate();
    let starts = near
        .filter(|&(at, byte)| at == 0 || matches!(byte, b' ' | b'[' | b'('))
        .map(|(at, _)| if at == 0 { 0 } else { at + 1 });
    starts.into_iter().any(|at| text.get(at..).and_then(Stamp::read).is_some_and(|(stamp, _)| stamp.has_year()))
}
