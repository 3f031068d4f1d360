//! What became of the lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of what was read. A line is counted once: `lines = blank + rows + joined + duplicates + quarantined`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Bytes after decompression.
    pub bytes: u64,
    /// Physical lines.
    pub lines: u64,
    /// Lines of nothing but white space, outside of records.
    pub blank: u64,
    /// Rows made.
    pub rows: u64,
    /// Lines below a record's first one.
    pub joined: u64,
    /// Records that were read before, by their id.
    pub duplicates: u64,
    /// Lines that are no text, or too long.
    pub quarantined: u64,
    /// Rows by format.
    pub formats: BTreeMap<String, u64>,
}

impl Report {
    /// Adds another object's counts.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.blank += other.blank;
        self.rows += other.rows;
        self.joined += other.joined;
        self.duplicates += other.duplicates;
        self.quarantined += other.quarantined;
        for (format, rows) in &other.formats {
            *self.formats.entry(format.clone()).or_default() += rows;
        }
    }

    /// Whether each line is counted once.
    pub fn closes(&self) -> bool {
        self.lines == self.blank + self.rows + self.joined + self.duplicates + self.quarantined
    }
}
