//! What became of the lines, as a table and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use millrace_lake::Report;
use serde_json::{Value, json};

use super::counted;
use crate::text_table::write_table;

/// Counts of all files together.
#[derive(Debug)]
pub(super) struct Totals {
    report: Report,
    /// The files written, relative to the lake.
    paths: Vec<String>,
    seconds: f64,
}

impl Totals {
    /// No files yet, in this many seconds.
    pub(super) fn new(seconds: f64) -> Self {
        Self { report: Report::default(), paths: Vec::new(), seconds }
    }

    /// Adds a file's counts.
    pub(super) fn add(&mut self, report: &Report, paths: Vec<String>) {
        self.report.add(report);
        self.paths.extend(paths);
    }
}

pub(super) fn to_json(totals: &Totals) -> Value {
    let Report { bytes, lines, blank, rows, joined, duplicates, quarantined, formats } = &totals.report;
    json!({
        "bytes": bytes, "lines": lines, "blank": blank, "rows": rows, "joined": joined, "duplicates": duplicates,
        "quarantined": quarantined, "formats": formats, "files": totals.paths, "seconds": totals.seconds,
    })
}

pub(super) fn to_text(totals: &Totals, out: &Path) -> String {
    let report = &totals.report;
    let mut formats: Vec<_> = report.formats.iter().collect();
    formats.sort_by_key(|&(name, rows)| (std::cmp::Reverse(*rows), name));
    let mut text = String::new();
    if !formats.is_empty() {
        let rows = formats.iter().map(|&(name, rows)| {
            let share = share(*rows, report.rows);
            [name.clone(), HumanCount(*rows).to_string(), share]
        });
        write_table(&mut text, ["FORMAT", "ROWS", "SHARE"], rows);
        text.push('\n');
    }
    let counts = [
        ("rows", report.rows),
        ("joined", report.joined),
        ("blank", report.blank),
        ("duplicates", report.duplicates),
        ("quarantined", report.quarantined),
    ];
    let counts: Vec<_> = counts
        .into_iter()
        .filter(|&(name, count)| name == "rows" || count > 0)
        .map(|(name, count)| counted(count, name))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = report.bytes as f64 / totals.seconds.max(1e-3) / 1e6;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}, {} in {:.1} s ({rate:.0} MB/s): {}",
        counted(report.lines, "lines"),
        HumanBytes(report.bytes),
        totals.seconds,
        counts.join(", ")
    );
    let (quarantine, cleaned): (Vec<_>, Vec<_>) = totals.paths.iter().partition(|path| path.starts_with("quarantine/"));
    if !cleaned.is_empty() {
        let _ = writeln!(text, "{} in {}", files(cleaned.len()), out.join("cleaned").display());
    }
    for path in quarantine {
        let _ = writeln!(text, "quarantined lines, with reason and place: {}", out.join(path).display());
    }
    text
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn share(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = part as f64 / whole.max(1) as f64 * 100.0;
    format!("{share:.1} %")
}
