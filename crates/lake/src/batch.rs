//! Rows in memory: their texts in one buffer, so that a row costs no allocation.

use crate::stamp::TimeSource;

/// Where a text stands in a batch's buffer; [`Text::NONE`] for null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    start: u32,
    length: u32,
}

impl Text {
    pub(crate) const NONE: Self = Self { start: u32::MAX, length: 0 };

    /// Its bytes.
    pub(crate) fn len(self) -> usize {
        self.length as usize
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    pub(crate) fn is_some(self) -> bool {
        self != Self::NONE
    }
}

/// A cleaned log record. Its texts and attributes are in its [`Batch`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Unix nanoseconds.
    pub(crate) time: i64,
    pub(crate) time_source: TimeSource,
    /// Unix nanoseconds.
    pub(crate) observed: i64,
    /// OpenTelemetry's number; 0 where unknown.
    pub(crate) severity: u8,
    pub(crate) format: &'static str,
    /// Its first line in the source, from 1.
    pub(crate) line: u64,
    /// Physical lines joined into it.
    pub(crate) lines: u32,
    /// Milliseconds; NaN where unknown.
    pub(crate) duration: f64,
    /// HTTP status; 0 where there is none.
    pub(crate) status: i32,
    pub(crate) id: Text,
    pub(crate) severity_text: Text,
    pub(crate) service: Text,
    pub(crate) body: Text,
    pub(crate) trace_id: Text,
    pub(crate) span_id: Text,
    pub(crate) exception_type: Text,
    pub(crate) exception_message: Text,
    pub(crate) exception_stacktrace: Text,
    /// Its first attribute, and the one after its last.
    pub(crate) attributes: (u32, u32),
}

/// Rows with their texts.
#[derive(Debug, Default)]
pub struct Batch {
    text: String,
    rows: Vec<Row>,
    attributes: Vec<(Text, Text)>,
    /// The time of the last row, of those before it was cleared too.
    last: Option<i64>,
    /// Whether a row was ever before the one in front of it.
    is_mixed: bool,
}

/// The size of a batch, to return to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    text: usize,
    attributes: usize,
}

impl Batch {
    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The indexes of the rows, by their time.
    pub(crate) fn by_time(&self) -> Vec<u32> {
        let rows = &self.rows;
        let mut order: Vec<u32> = (0..u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect();
        let time = |index: &u32| rows.get(*index as usize).map_or(0, |row| row.time);
        if !rows.is_sorted_by_key(|row| row.time) {
            order.sort_by_key(time);
        }
        order
    }

    /// Whether rows did not come in the order of their times, since the beginning.
    pub(crate) fn is_mixed(&self) -> bool {
        self.is_mixed
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.is_mixed |= self.last.replace(row.time).is_some_and(|last| row.time < last);
        self.rows.push(row);
    }

    /// The text; `None` for [`Text::NONE`].
    pub(crate) fn text(&self, text: Text) -> Option<&str> {
        let start = text.start as usize;
        if text.is_none() { None } else { self.text.get(start..start + text.length as usize) }
    }

    /// The text's bytes; `None` for [`Text::NONE`].
    #[inline]
    pub(crate) fn bytes_of(&self, text: Text) -> Option<&[u8]> {
        let start = text.start as usize;
        if text.is_none() { None } else { self.text.as_bytes().get(start..start + text.length as usize) }
    }

    pub(crate) fn attributes(&self, row: &Row) -> &[(Text, Text)] {
        self.attributes.get(row.attributes.0 as usize..row.attributes.1 as usize).unwrap_or_default()
    }

    /// Whether a row has the same names of attributes as the last row, in the same order.
    pub(crate) fn has_names_of_last(&self, row: &Row) -> bool {
        let (names, last) = (self.attributes(row), self.rows.last().map_or(&[][..], |last| self.attributes(last)));
        names.len() == last.len()
            && names.iter().zip(last).all(|(&(name, _), &(other, _))| self.text(name) == self.text(other))
    }

    /// Replaces the name of the attribute at `index`.
    pub(crate) fn rename_attribute(&mut self, index: usize, key: Text) {
        if let Some(attribute) = self.attributes.get_mut(index) {
            attribute.0 = key;
        }
    }

    pub(crate) fn attribute_count(&self) -> u32 {
        count(self.attributes.len())
    }

    pub(crate) fn push_attribute(&mut self, key: Text, value: Text) {
        self.attributes.push((key, value));
    }

    /// Appends a text. A batch ends long before its buffer could not be numbered by 32 bits.
    pub(crate) fn append(&mut self, text: &str) -> Text {
        let start = count(self.text.len());
        self.text.push_str(text);
        Text { start, length: count(text.len()) }
    }

    /// A part of a text, by offsets in it.
    pub(crate) fn part(whole: Text, from: usize, length: usize) -> Text {
        Text { start: whole.start + count(from), length: count(length) }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { text: self.text.len(), attributes: self.attributes.len() }
    }

    /// Forgets what was appended since.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.text.truncate(mark.text);
        self.attributes.truncate(mark.attributes);
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.attributes.clear();
    }
}

/// Sizes of a batch as 32 bits: it is bounded to far less than 4 GiB.
fn count(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX - 1)
}
