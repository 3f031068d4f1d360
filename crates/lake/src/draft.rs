//! A row while a format reads it.

use std::collections::{HashMap, HashSet};

use crate::batch::{Batch, Mark, Row, Text};
use crate::severity::Severity;
use crate::stamp::{Defaults, Stamp, TimeSource, unix_number};

/// Attributes whose names are compared with each other: more are counted by their hashes.
const FEW: usize = 24;

/// A row while a format reads it; what is set twice counts as set last.
#[derive(Debug)]
pub(crate) struct Draft<'b> {
    batch: &'b mut Batch,
    row: Row,
    defaults: Defaults,
    start: Mark,
    /// The record's text in the batch, and its address in memory: parts of it are not copied again.
    whole: Text,
    address: usize,
    length: usize,
    /// The end of the attributes of a row that was put aside: others were appended since.
    attributes_end: Option<u32>,
}

/// A row that was read and put aside: its texts and attributes stay in the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aside {
    row: Row,
    whole: Text,
    defaults: Defaults,
}

impl<'b> Draft<'b> {
    /// Begins a row of this text, without a time.
    pub(crate) fn new(batch: &'b mut Batch, text: &str, defaults: Defaults) -> Self {
        let start = batch.mark();
        let whole = batch.append(text);
        let attributes = batch.attribute_count();
        let row = Row {
            time: defaults.observed,
            time_source: TimeSource::Observed,
            observed: defaults.observed,
            severity: 0,
            format: "",
            line: 0,
            lines: 1,
            duration: f64::NAN,
            status: 0,
            id: Text::NONE,
            severity_text: Text::NONE,
            service: Text::NONE,
            body: Text::NONE,
            trace_id: Text::NONE,
            span_id: Text::NONE,
            exception_type: Text::NONE,
            exception_message: Text::NONE,
            exception_stacktrace: Text::NONE,
            attributes: (attributes, attributes),
        };
        Self {
            batch,
            row,
            defaults,
            start,
            whole,
            address: text.as_ptr() as usize,
            length: text.len(),
            attributes_end: None,
        }
    }

    /// Puts the row aside.
    pub(crate) fn aside(mut self) -> Aside {
        self.row.attributes.1 = self.batch.attribute_count();
        Aside { row: self.row, whole: self.whole, defaults: self.defaults }
    }

    /// Goes on with a row that was put aside; no attribute may be appended to it.
    pub(crate) fn resume(batch: &'b mut Batch, aside: Aside) -> Self {
        let Aside { row, whole, defaults } = aside;
        let start = batch.mark();
        Self { batch, row, defaults, start, whole, address: 0, length: 0, attributes_end: Some(row.attributes.1) }
    }

    /// Keeps the row's text; a part of the record's text costs nothing.
    fn keep(&mut self, text: &str) -> Text {
        let offset = (text.as_ptr() as usize).wrapping_sub(self.address);
        match offset.checked_add(text.len()) {
            Some(end) if end <= self.length => Batch::part(self.whole, offset, text.len()),
            _ => self.batch.append(text),
        }
    }

    /// Sets the time to a stamp; false where it is out of range.
    pub(crate) fn stamp(&mut self, stamp: Stamp) -> bool {
        match stamp.resolve(self.defaults) {
            Some((time, source)) => {
                self.row.time = time;
                self.row.time_source = source;
                true
            }
            None => false,
        }
    }

    /// Sets the time to the stamp of this text; a text that is out of range stays an attribute.
    pub(crate) fn stamp_of(&mut self, stamp: Stamp, text: &str) {
        if !self.stamp(stamp) {
            self.attribute("time", Some(text));
        }
    }

    /// Sets the time to Unix nanoseconds.
    pub(crate) fn unix(&mut self, nanoseconds: i64) {
        self.row.time = nanoseconds;
        self.row.time_source = TimeSource::Record;
    }

    /// Sets the time to a Unix time that is written as a number; false where it is none, or before September 2001: smaller
    /// numbers are no times of a log.
    pub(crate) fn unix_text(&mut self, text: &str) -> bool {
        let time = unix_number(text).filter(|&time| time >= 1_000_000_000_000_000_000);
        time.inspect(|&time| self.unix(time)).is_some()
    }

    pub(crate) fn has_time(&self) -> bool {
        self.row.time_source != TimeSource::Observed
    }

    pub(crate) fn severity(&mut self, severity: Option<Severity>, text: &str) {
        self.row.severity = severity.map_or(0, Severity::number);
        self.row.severity_text = self.keep(text);
    }

    /// Sets the severity's number alone.
    pub(crate) fn severity_number(&mut self, severity: Severity) {
        self.row.severity = severity.number();
    }

    /// Sets when the record was taken, which is its time where it has none.
    pub(crate) fn observed(&mut self, stamp: Stamp) {
        let Some((observed, _)) = stamp.resolve(self.defaults) else { return };
        self.row.observed = observed;
        if !self.has_time() {
            self.row.time = observed;
        }
    }

    pub(crate) fn has_severity(&self) -> bool {
        self.row.severity_text.is_some()
    }

    pub(crate) fn body(&mut self, text: &str) {
        self.row.body = self.keep(text);
    }

    pub(crate) fn body_text(&self) -> Option<&str> {
        self.batch.text(self.row.body)
    }

    pub(crate) fn id(&mut self, text: &str) {
        self.row.id = self.keep(text);
    }

    pub(crate) fn service(&mut self, text: &str) {
        if !text.is_empty() {
            self.row.service = self.keep(text);
        }
    }

    pub(crate) fn has_service(&self) -> bool {
        self.row.service.is_some()
    }

    /// Sets the trace id, in lower case; false where the text is none (32 hex digits, not all zero).
    pub(crate) fn trace_id(&mut self, text: &str) -> bool {
        let id = self.hex(text, 2);
        self.row.trace_id = id.unwrap_or(self.row.trace_id);
        id.is_some()
    }

    pub(crate) fn has_trace_id(&self) -> bool {
        self.row.trace_id.is_some()
    }

    pub(crate) fn has_span_id(&self) -> bool {
        self.row.span_id.is_some()
    }

    /// Sets the span id, in lower case; false where the text is none (16 hex digits, not all zero).
    pub(crate) fn span_id(&mut self, text: &str) -> bool {
        let id = self.hex(text, 1);
        self.row.span_id = id.unwrap_or(self.row.span_id);
        id.is_some()
    }

    /// Keeps an id of `sixteens` × 16 hex digits, in lower case; `None` where the text is something else, or all zero.
    fn hex(&mut self, text: &str, sixteens: usize) -> Option<Text> {
        let (blocks, []) = text.as_bytes().as_chunks() else { return None };
        if blocks.len() != sixteens {
            return None;
        }
        let [is_other, is_upper, is_not_zero] =
            blocks.iter().map(hex_marks).fold([0; 3], |all, marks| std::array::from_fn(|mark| all[mark] | marks[mark]));
        let is_id = is_other == 0 && is_not_zero != 0;
        is_id.then(|| if is_upper == 0 { self.keep(text) } else { self.keep(&text.to_ascii_lowercase()) })
    }

    pub(crate) fn exception_type(&mut self, text: &str) {
        self.row.exception_type = self.keep(text);
    }

    pub(crate) fn exception_message(&mut self, text: &str) {
        self.row.exception_message = self.keep(text);
    }

    pub(crate) fn exception_stacktrace(&mut self, text: &str) {
        self.row.exception_stacktrace = self.keep(text);
    }

    pub(crate) fn has_exception_type(&self) -> bool {
        self.row.exception_type.is_some()
    }

    pub(crate) fn has_exception_message(&self) -> bool {
        self.row.exception_message.is_some()
    }

    pub(crate) fn has_stacktrace(&self) -> bool {
        self.row.exception_stacktrace.is_some()
    }

    /// Sets the duration, in milliseconds.
    pub(crate) fn duration(&mut self, milliseconds: f64) {
        self.row.duration = milliseconds;
    }

    pub(crate) fn has_duration(&self) -> bool {
        !self.row.duration.is_nan()
    }

    /// Sets the HTTP status; false where the text is none.
    pub(crate) fn status(&mut self, text: &str) -> bool {
        let status = (text.len() == 3).then(|| text.parse().ok()).flatten();
        let status = status.filter(|status| (100..=599).contains(status));
        self.row.status = status.unwrap_or(self.row.status);
        status.is_some()
    }

    pub(crate) fn has_status(&self) -> bool {
        self.row.status != 0
    }

    pub(crate) fn attribute(&mut self, key: &str, value: Option<&str>) {
        let key = self.keep(key);
        let value = value.map_or(Text::NONE, |value| self.keep(value));
        self.batch.push_attribute(key, value);
    }

    /// Appends an attribute under a constant name, unless its value is `-` or empty.
    pub(crate) fn known(&mut self, key: &str, value: &str) {
        if !value.is_empty() && value != "-" {
            self.attribute(key, Some(value));
        }
    }

    /// Whether an attribute has this name.
    pub(crate) fn has_attribute(&self, key: &str) -> bool {
        let row = Row { attributes: (self.row.attributes.0, self.batch.attribute_count()), ..self.row };
        self.batch.attributes(&row).iter().any(|&(name, _)| self.batch.text(name) == Some(key))
    }

    /// Whether each attribute has a name of its own, as the keys of a map must.
    fn has_unique_names(&self) -> bool {
        let attributes = self.batch.attributes(&self.row);
        if attributes.len() > FEW {
            let names: HashSet<_> = attributes.iter().map(|&(name, _)| self.batch.text(name)).collect();
            return names.len() == attributes.len();
        }
        attributes.iter().enumerate().all(|(index, &(name, _))| {
            let name = self.batch.text(name);
            attributes.iter().take(index).all(|&(other, _)| self.batch.text(other) != name)
        })
    }

    /// Gives later attributes of a name numbers: `name.2`, `name.3`.
    fn number_names(&mut self) {
        let names: Vec<String> = (self.batch.attributes(&self.row).iter())
            .map(|&(name, _)| self.batch.text(name).unwrap_or_default().to_owned())
            .collect();
        let mut taken: HashSet<String> = names.iter().cloned().collect();
        let mut numbers: HashMap<String, u32> = HashMap::new();
        for (index, name) in names.into_iter().enumerate() {
            let Some(number) = numbers.get_mut(&name) else {
                numbers.insert(name, 2);
                continue;
            };
            let mut numbered = format!("{name}.{number}");
            while !taken.insert(numbered.clone()) {
                *number += 1;
                numbered = format!("{name}.{number}");
            }
            let key = self.batch.append(&numbered);
            self.batch.rename_attribute(self.row.attributes.0 as usize + index, key);
        }
    }

    /// Forgets the row.
    pub(crate) fn discard(self) {
        self.batch.rewind(self.start);
    }

    /// Forgets what a format has set, so that the next one reads the text afresh.
    pub(crate) fn reset(&mut self, text: &str) {
        self.batch.rewind(self.start);
        let fresh = Draft::new(self.batch, text, self.defaults);
        let (row, whole, address, length) = (fresh.row, fresh.whole, fresh.address, fresh.length);
        (self.row, self.whole, self.address, self.length) = (row, whole, address, length);
    }

    /// The row's id; `None` where the record has none.
    pub(crate) fn id_text(&self) -> Option<&str> {
        self.batch.text(self.row.id)
    }

    /// Appends the row to the batch.
    pub(crate) fn finish(mut self, format: &'static str, line: u64, lines: u32) {
        self.row.format = format;
        self.row.line = line;
        self.row.lines = lines;
        self.row.attributes.1 = self.attributes_end.unwrap_or_else(|| self.batch.attribute_count());
        // Rows of a program have the same names, so one comparison each is enough.
        if !self.batch.has_names_of_last(&self.row) && !self.has_unique_names() {
            self.number_names();
        }
        if self.row.body.is_none() {
            self.row.body = Batch::part(self.whole, 0, 0);
        }
        self.batch.push(self.row);
    }
}

/// Three bytes that are not 0 where some byte is no hex digit, is an upper-case letter, or is not `0`. One pass without branches, of
/// which the compiler makes vector instructions: ids are in most lines.
fn hex_marks(digits: &[u8; 16]) -> [u8; 3] {
    let [mut is_other, mut is_upper, mut is_not_zero] = [0; 3];
    let mark = |is: bool| if is { u8::MAX } else { 0 };
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        is_other |= mark(digit > 9) & mark((byte | 0x20).wrapping_sub(b'a') > 5);
        is_upper |= mark(byte.wrapping_sub(b'A') < 26);
        is_not_zero |= digit;
    }
    [is_other, is_upper, is_not_zero]
}
