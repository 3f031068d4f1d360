//! Log lines to rows: wrappings taken off, lines joined into records, formats read, duplicates dropped, lines counted.

mod pending;

use std::io::{self, BufRead};

use millrace_json::lenient::Pairs;
use thiserror::Error;

use self::pending::Pending;
use crate::batch::Batch;
use crate::dedupe::{PlaceIds, RecentIds};
use crate::draft::{Aside, Draft};
use crate::exception;
use crate::formats::wrap::{self, Meta};
use crate::formats::{Format, Joins, Open, registry};
use crate::input::{self, Line, Lines};
use crate::report::Report;
use crate::stamp::Defaults;

/// Bytes of texts after which a batch goes to the sink.
const BATCH_BYTES: usize = 16 << 20;

/// Rows after which a batch goes to the sink, where they have to be sorted: a row group ends where the next batch begins
/// with an earlier time.
const BATCH_ROWS: usize = 65_536;

/// Rows after which a batch goes to the sink as long as all came in order: fewer take less memory.
const ORDERED_ROWS: usize = 8_192;

/// Most bytes of a record.
const JOINED_BYTES_LIMIT: usize = input::LINE_LIMIT;

/// Most bytes of records that are held open, of all streams together.
const HELD_LIMIT: usize = 16 << 20;

/// Most streams (a container's output, a service) of which a record is held open.
const STREAMS_LIMIT: usize = 256;

/// What is cleaned.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name of the object or file, as in column `source`.
    pub name: String,
    /// What tells it from every other: ids of rows and names of files derive from it. An object's bucket and key, say.
    pub identity: String,
    /// The service of rows that name none.
    pub service: String,
    /// When it was written, in Unix nanoseconds: the time of rows without one.
    pub observed: i64,
    /// Seconds east of UTC of local times without an offset.
    pub offset: i32,
}

/// A line, or a piece of one, that is no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantined<'a> {
    /// Number of the line, from 1.
    pub line: u64,
    /// Offset of its first byte after decompression.
    pub offset: u64,
    /// Why.
    pub reason: Reason,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Why a line is no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Bytes that are no text.
    NotText,
    /// Longer than [`LINE_LIMIT`](crate::LINE_LIMIT).
    TooLong,
    /// The input could not be read on in the middle of it.
    Cut,
}

impl Reason {
    /// The reason as it stands in the quarantine.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotText => "not_text",
            Self::TooLong => "line_too_long",
            Self::Cut => "cut_short",
        }
    }
}

/// Where rows and quarantined lines go.
pub trait Sink {
    /// Takes the batch's rows; the batch is used again afterwards.
    ///
    /// # Errors
    ///
    /// Where they could not be written: cleaning ends.
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()>;

    /// Takes a line that is no row, or a piece of it.
    ///
    /// # Errors
    ///
    /// Where it could not be written: cleaning ends.
    fn quarantine(&mut self, line: Quarantined<'_>, source: &Source) -> io::Result<()>;
}

/// Why an object was not cleaned to its end.
#[derive(Debug, Error)]
pub enum CleanError {
    /// The input ended early or is corrupt; the lines before were cleaned, and are in the report.
    #[error("{} could not be read to its end: {error}", source_name)]
    Read {
        /// The source's name.
        source_name: String,
        /// What was met.
        #[source]
        error: io::Error,
        /// What became of the lines before.
        report: Box<Report>,
    },
    /// The sink failed.
    #[error("the rows of {} could not be written: {error}", source_name)]
    Write {
        /// The source's name.
        source_name: String,
        /// What was met.
        #[source]
        error: io::Error,
    },
}

/// Cleans an object: plain, gzip (of many members) or zstd.
///
/// # Errors
///
/// As [`CleanError`].
pub fn clean(input: impl BufRead, source: &Source, sink: &mut dyn Sink) -> Result<Report, CleanError> {
    let read_error =
        |error, report| CleanError::Read { source_name: source.name.clone(), error, report: Box::new(report) };
    let mut lines = match input::open(input) {
        Ok(input) => Lines::new(input),
        Err(error) => return Err(read_error(error, Report::default())),
    };
    let mut cleaner = Cleaner::new(source);
    let written = cleaner.run(&mut lines, sink);
    let report = cleaner.report(lines.offset());
    written.map_err(|error| CleanError::Write { source_name: source.name.clone(), error })?;
    match lines.failure() {
        Some(error) => Err(read_error(error, report)),
        None => Ok(report),
    }
}

/// A line without its wrapping.
struct Logical<'l> {
    text: &'l str,
    meta: Option<&'l Meta>,
    /// What it was decoded from, where that is not UTF-8.
    encoding: Option<&'static str>,
    line: u64,
    lines: u32,
}

/// The start of a line that comes in parts.
#[derive(Debug)]
struct Part {
    text: String,
    meta: Meta,
    line: u64,
    lines: u32,
}

fn stream(meta: Option<&Meta>) -> &str {
    meta.map_or("", |meta| meta.stream.as_str())
}

struct Cleaner<'s> {
    source: &'s Source,
    formats: Vec<Box<dyn Format + Send>>,
    /// The format that read the line before.
    remembered: usize,
    pairs: Pairs,
    pending: Vec<Pending>,
    parts: Vec<Part>,
    batch: Batch,
    ids: RecentIds,
    place_ids: PlaceIds,
    report: Report,
    /// Rows by format; few, so a list.
    formats_seen: Vec<(&'static str, u64)>,
    /// The memory of the last text record, for the next one.
    spare: String,
}

impl<'s> Cleaner<'s> {
    fn new(source: &'s Source) -> Self {
        Self {
            source,
            formats: registry(),
            remembered: 0,
            pairs: Pairs::default(),
            pending: Vec::new(),
            parts: Vec::new(),
            batch: Batch::default(),
            ids: RecentIds::default(),
            place_ids: PlaceIds::new(&source.identity),
            report: Report::default(),
            formats_seen: Vec::new(),
            spare: String::new(),
        }
    }

    fn report(self, bytes: u64) -> Report {
        let formats = self.formats_seen.into_iter().map(|(format, rows)| (format.to_owned(), rows)).collect();
        Report { bytes, formats, ..self.report }
    }

    fn run(&mut self, lines: &mut Lines<impl io::Read>, sink: &mut dyn Sink) -> io::Result<()> {
        let mut in_long_line = false;
        loop {
            let offset = lines.offset();
            let Some(line) = lines.next() else { break };
            if !in_long_line {
                self.report.lines += 1;
            }
            let number = self.report.lines;
            let (reason, bytes) = match line {
                Line::Text(ref text, encoding) => {
                    self.line(text, encoding, number);
                    (None, &[][..])
                }
                Line::Binary(bytes) => (Some(Reason::NotText), bytes),
                Line::Cut(bytes) => (Some(Reason::Cut), bytes),
                Line::Piece { bytes, .. } => (Some(Reason::TooLong), bytes),
            };
            if let Some(reason) = reason {
                // The pieces of a line are one line.
                self.report.quarantined += u64::from(!in_long_line);
                in_long_line = matches!(line, Line::Piece { ends: false, .. });
                sink.quarantine(Quarantined { line: number, offset, reason, bytes }, self.source)?;
            }
            let rows = if self.batch.is_mixed() { BATCH_ROWS } else { ORDERED_ROWS };
            if self.batch.bytes() >= BATCH_BYTES || self.batch.len() >= rows {
                self.hand_over(sink)?;
            }
        }
        for part in std::mem::take(&mut self.parts) {
            let Part { text, meta, line, lines } = part;
            self.logical(&Logical { text: &text, meta: Some(&meta), encoding: None, line, lines });
        }
        for pending in std::mem::take(&mut self.pending) {
            self.close(pending);
        }
        self.hand_over(sink)
    }

    fn hand_over(&mut self, sink: &mut dyn Sink) -> io::Result<()> {
        if !self.batch.is_empty() {
            sink.rows(&self.batch, self.source)?;
        }
        self.batch.clear();
        for pending in &mut self.pending {
            pending.read = None;
        }
        Ok(())
    }

    /// Takes a physical line.
    fn line(&mut self, text: &str, encoding: Option<&'static str>, number: u64) {
        let Some(unwrapped) = wrap::unwrap(text, &mut self.pairs) else {
            return self.logical(&Logical { text, meta: None, encoding, line: number, lines: 1 });
        };
        let meta = unwrapped.meta;
        let open = self.parts.iter().position(|part| part.meta.stream == meta.stream);
        if open.is_none() && !unwrapped.is_part {
            return self.logical(&Logical {
                text: &unwrapped.text,
                meta: Some(&meta),
                encoding,
                line: number,
                lines: 1,
            });
        }
        let mut part = match open {
            Some(index) => self.parts.swap_remove(index),
            None => Part { text: String::new(), meta, line: number, lines: 0 },
        };
        part.text.push_str(&unwrapped.text);
        part.lines += 1;
        let held: usize = self.parts.iter().map(|part| part.text.len()).sum();
        let full = part.text.len() > JOINED_BYTES_LIMIT || self.parts.len() >= STREAMS_LIMIT || held > HELD_LIMIT;
        if unwrapped.is_part && !full {
            self.parts.push(part);
        } else {
            let Part { text, meta, line, lines } = part;
            self.logical(&Logical { text: &text, meta: Some(&meta), encoding, line, lines });
        }
    }

    /// Takes a line without its wrapping.
    fn logical(&mut self, logical: &Logical<'_>) {
        let is_whole = logical.meta.is_some_and(|meta| meta.is_whole);
        let belongs = |pending: &Pending| !is_whole && pending.stream() == stream(logical.meta);
        let open = self.pending.iter().position(belongs);
        if logical.text.trim_ascii().is_empty() && !logical.meta.is_some_and(|meta| meta.keeps_empty) {
            match open.and_then(|index| self.pending.get_mut(index)) {
                Some(pending) if logical.lines == 1 => pending.blank += 1,
                _ => self.report.blank += u64::from(logical.lines),
            }
            return;
        }
        // Files that were put together have byte order marks inside.
        let text = logical.text.strip_suffix('\r').unwrap_or(logical.text).trim_start_matches('\u{feff}');
        if text.starts_with('{') && self.json(open, &Logical { text, ..*logical }) {
            return;
        }
        let colourless;
        let text = if memchr::memchr(b'\x1b', text.as_bytes()).is_some() {
            colourless = without_colours(text);
            colourless.strip_suffix('\r').unwrap_or(&colourless)
        } else {
            text
        };
        let logical = &Logical { text, ..*logical };
        if let Some(index) = open
            && let Some(pending) = self.pending.get_mut(index)
            && pending.goes_on(self.formats[pending.format].as_ref(), text)
        {
            return pending.join(self.formats[pending.format].as_ref(), logical);
        }
        let (format, read) = self.begins(logical).map_or((None, None), |(format, read)| (Some(format), Some(read)));
        if let Some(index) = open {
            if format.is_none()
                && let Some(pending) = self.pending.get_mut(index)
                && pending.takes_unknown(self.formats[pending.format].as_ref(), text)
            {
                return pending.join(self.formats[pending.format].as_ref(), logical);
            }
            let pending = self.pending.swap_remove(index);
            self.close(pending);
        }
        let format = format.unwrap_or(self.formats.len() - 1);
        let mut own = std::mem::take(&mut self.spare);
        text.clone_into(&mut own);
        let mut pending = Pending {
            text: own,
            meta: logical.meta.cloned(),
            encoding: logical.encoding,
            format,
            line: logical.line,
            lines: logical.lines,
            open: Open::default(),
            // What the wrapping says is appended to a row while it is read.
            read: read.filter(|_| logical.meta.is_none() && logical.encoding.is_none()),
            blank: 0,
        };
        pending.open.take(text);
        if is_whole || self.formats[format].joins() == Joins::Nothing {
            return self.close(pending);
        }
        self.pending.push(pending);
        while self.holds_too_much() {
            let oldest = self.pending.remove(0);
            self.close(oldest);
        }
    }

    /// Whether records that may go on take too much memory. One takes 1 MiB at most, so few never do.
    fn holds_too_much(&self) -> bool {
        let streams = self.pending.len() + self.parts.len();
        let texts = || {
            self.pending.iter().map(|pending| pending.text.len()).chain(self.parts.iter().map(|part| part.text.len()))
        };
        self.pending.len() > 1
            && (streams > STREAMS_LIMIT
                || streams > HELD_LIMIT / JOINED_BYTES_LIMIT && texts().sum::<usize>() > HELD_LIMIT)
    }

    /// Makes a row of a JSON line at once: no line below belongs to it. False where the line is no JSON.
    fn json(&mut self, open: Option<usize>, logical: &Logical<'_>) -> bool {
        let mut draft = Draft::new(&mut self.batch, logical.text, defaults(self.source, logical.meta));
        let Some(format) = self.formats[0].read(logical.text, &mut draft) else {
            draft.discard();
            return false;
        };
        let record = Record {
            meta: logical.meta,
            encoding: logical.encoding,
            format,
            text: logical.text,
            line: logical.line,
            lines: logical.lines,
        };
        // The record before it is complete; it has its place before this one only in the source.
        let row = finish(draft, &record, self.source, &mut self.ids, &mut self.place_ids);
        self.count(row, format, logical.lines);
        self.remembered = 0;
        if let Some(index) = open {
            let pending = self.pending.swap_remove(index);
            self.close(pending);
        }
        true
    }

    /// The format whose records begin with this line, and the row; the plain format reads any line and does not count.
    fn begins(&mut self, logical: &Logical<'_>) -> Option<(usize, (Aside, &'static str))> {
        let mut draft = Draft::new(&mut self.batch, logical.text, defaults(self.source, logical.meta));
        let last = self.formats.len() - 1;
        let order = std::iter::once(self.remembered).chain(0..last).filter(|&index| index != last);
        let mut found = None;
        for index in order {
            if let Some(name) = self.formats[index].read(logical.text, &mut draft) {
                found = Some((index, name));
                break;
            }
            draft.reset(logical.text);
        }
        let Some((index, name)) = found else {
            draft.discard();
            return None;
        };
        let read = draft.aside();
        if !self.formats[index].is_general() {
            self.remembered = index;
        }
        Some((index, (read, name)))
    }

    /// Makes a row of a record that is complete.
    fn close(&mut self, pending: Pending) {
        self.report.blank += u64::from(pending.blank);
        let Pending { text, meta, encoding, format, line, lines, read, .. } = pending;
        if let Some((aside, name)) = read {
            let mut draft = Draft::resume(&mut self.batch, aside);
            // A relay's line may be of several.
            lift_trace(&mut draft);
            let record = Record { meta: None, encoding: None, format: name, text: &text, line, lines };
            let row = finish(draft, &record, self.source, &mut self.ids, &mut self.place_ids);
            self.spare = text;
            return self.count(row, name, lines);
        }
        let mut draft = Draft::new(&mut self.batch, &text, defaults(self.source, meta.as_ref()));
        let name = if let Some(name) = self.formats[format].read(&text, &mut draft) {
            name
        } else {
            // A record's further lines cannot change its first one's format; if they do, its text is kept.
            draft.reset(&text);
            draft.body(&text);
            "plain"
        };
        lift_trace(&mut draft);
        let record = Record { meta: meta.as_ref(), encoding, format: name, text: &text, line, lines };
        let row = finish(draft, &record, self.source, &mut self.ids, &mut self.place_ids);
        self.count(row, name, lines);
    }

    fn count(&mut self, row: bool, format: &'static str, lines: u32) {
        self.report.joined += u64::from(lines) - 1;
        if !row {
            self.report.duplicates += 1;
            return;
        }
        self.report.rows += 1;
        match self.formats_seen.iter_mut().find(|(name, _)| *name == format) {
            Some((_, rows)) => *rows += 1,
            None => self.formats_seen.push((format, 1)),
        }
    }
}

/// A record that a format has read.
struct Record<'r> {
    meta: Option<&'r Meta>,
    encoding: Option<&'static str>,
    format: &'static str,
    text: &'r str,
    line: u64,
    lines: u32,
}

/// Appends the row to the batch; false where a record of this id was before.
fn finish(
    mut draft: Draft<'_>,
    record: &Record<'_>,
    source: &Source,
    ids: &mut RecentIds,
    place_ids: &mut PlaceIds,
) -> bool {
    if let Some(meta) = record.meta {
        if let Some(id) = &meta.id {
            if !ids.insert(id) {
                draft.discard();
                return false;
            }
            draft.id(id);
        }
        if !draft.has_time()
            && let Some(time) = meta.time.filter(|_| meta.is_record_time)
        {
            draft.unix(time);
        }
        if let Some((severity, text)) = meta.severity.as_ref().filter(|_| !draft.has_severity()) {
            draft.severity(Some(*severity), text);
        }
        for (name, value) in &meta.attributes {
            if !draft.has_attribute(name) {
                draft.attribute(name, value.as_deref());
            }
        }
        if let Some(service) = meta.service.as_ref().filter(|_| !draft.has_service()) {
            draft.service(service);
        }
    }
    if let Some(encoding) = record.encoding {
        draft.attribute("log.encoding", Some(encoding));
    }
    if !draft.has_service() {
        draft.service(&source.service);
    }
    if draft.id_text().is_none() {
        draft.id(place_ids.id_of(record.line, record.text));
    }
    draft.finish(record.format, record.line, record.lines);
    true
}

/// What a missing part of a stamp is filled in from.
fn defaults(source: &Source, meta: Option<&Meta>) -> Defaults {
    let observed = meta.and_then(|meta| meta.time).unwrap_or(source.observed);
    Defaults { observed, offset: source.offset }
}

/// Takes the stack trace out of a body of several lines.
fn lift_trace(draft: &mut Draft<'_>) {
    let Some(body) =
        draft.body_text().filter(|body| memchr::memchr(b'\n', body.as_bytes()).is_some() && !draft.has_stacktrace())
    else {
        return;
    };
    let Some(start) = exception::start(body) else { return };
    // A trace that begins inside the message's line leaves the line whole.
    let before = match body.get(..start) {
        Some(before) if !before.is_empty() && !before.ends_with('\n') => body.split('\n').next(),
        before => before,
    };
    let (before, trace) =
        (before.unwrap_or_default().trim_end().to_owned(), body.get(start..).unwrap_or_default().to_owned());
    // A trace alone: its own text is the body, so that a reader sees what happened.
    let outer = exception::read(&trace).or_else(|| exception::read(&before));
    match (&outer, before.is_empty()) {
        (Some(outer), true) => match &outer.message {
            Some(message) => draft.body(&format!("{}: {message}", outer.kind)),
            None => draft.body(&outer.kind),
        },
        (None, true) => draft.body(trace.lines().next().unwrap_or_default()),
        _ => draft.body(&before),
    }
    draft.exception_stacktrace(&trace);
    if let Some(outer) = outer {
        draft.exception_type(&outer.kind);
        if let Some(message) = outer.message.filter(|_| !draft.has_exception_message()) {
            draft.exception_message(&message);
        }
    }
}

/// A text without its colours: `ESC [ … letter`.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(escape) = rest.find("\x1b[") {
        plain.push_str(&rest[..escape]);
        let after = &rest[escape + 2..];
        let parameters = after.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
        let is_colour = after.as_bytes().get(parameters).is_some_and(u8::is_ascii_alphabetic);
        let length = if is_colour { parameters + 1 } else { 0 };
        if !is_colour {
            plain.push_str("\x1b[");
        }
        rest = &after[length..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests;
