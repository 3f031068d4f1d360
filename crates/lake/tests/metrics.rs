//! Metrics of cleaned rows beside an independent computation over the lines they were made of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use jiff::Timestamp;
use millrace_lake::ReadError;
use millrace_lake::metrics::{HourFile, Window, Windows, windows_of};
use millrace_lake::{Folder, LakeWriter, Source, clean};
use proptest::prelude::*;

/// Noon of 31 January 2026.
const NOON: i64 = 1_769_860_800;

/// Cleans lines into a lake; the paths of its files of rows.
fn cleaned(lines: &str, name: &str, lake: &Path) -> Vec<std::path::PathBuf> {
    let source = Source {
        name: name.to_owned(),
        identity: name.to_owned(),
        service: String::new(),
        observed: NOON * 1_000_000_000,
        offset: 0,
    };
    let mut files = Folder::new(lake);
    let mut writer = LakeWriter::new(&mut files, &source);
    clean(lines.as_bytes(), &source, &mut writer).expect("the lines are cleaned");
    writer.finish().expect("the files are written").iter().map(|path| lake.join(path)).collect()
}

fn windows(files: &[std::path::PathBuf]) -> Windows {
    let mut windows = Windows::default();
    for file in files {
        windows.merge(windows_of(File::open(file).expect("a file"), "unknown").expect("its windows"));
    }
    windows
}

#[derive(Debug, Clone)]
struct Line {
    second: i64,
    service: Option<&'static str>,
    level: Option<&'static str>,
    status: Option<u16>,
    milliseconds: Option<f64>,
}

impl Line {
    fn json(&self) -> String {
        let mut line =
            serde_json::json!({"time": Timestamp::from_second(NOON + self.second).expect("a time"), "msg": "x"});
        let fields: [(&str, Option<serde_json::Value>); 4] = [
            ("service", self.service.map(Into::into)),
            ("level", self.level.map(Into::into)),
            ("status", self.status.map(Into::into)),
            ("duration_ms", self.milliseconds.map(Into::into)),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                line[name] = value;
            }
        }
        line.to_string()
    }

    fn is_error(&self) -> bool {
        self.level == Some("error") || self.status >= Some(500)
    }
}

fn any_line() -> impl Strategy<Value = Line> {
    (
        // Two hours, so that there are several files.
        0..7_200_i64,
        proptest::sample::select(vec![None, Some("pay"), Some("shop")]),
        proptest::sample::select(vec![None, Some("info"), Some("error")]),
        proptest::sample::select(vec![None, Some(200_u16), Some(499), Some(503)]),
        proptest::option::of((0..100_000_u32).prop_map(|steps| f64::from(steps) / 8.0)),
    )
        .prop_map(|(second, service, level, status, milliseconds)| Line {
            second,
            service,
            level,
            status,
            milliseconds,
        })
}

/// Rows, errors, latencies, and first and last line of a window.
type Expected = (u64, u64, Vec<f64>, u64, u64);

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_what_the_lines_come_to(lines in proptest::collection::vec(any_line(), 1..80)) {
        let folder = tempfile::tempdir().unwrap();
        let text = lines.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{}", line.json());
            text
        });
        let found = windows(&cleaned(&text, "raw/a.jsonl", folder.path()));

        let mut expected: BTreeMap<(i64, String), Expected> = BTreeMap::new();
        for (number, line) in (1..).zip(&lines) {
            let minute = NOON + line.second - line.second % 60;
            let key = (minute, line.service.unwrap_or("unknown").to_owned());
            let window = expected.entry(key).or_insert((0, 0, Vec::new(), number, number));
            window.0 += 1;
            window.1 += u64::from(line.is_error());
            window.2.extend(line.milliseconds);
            window.4 = number;
        }
        prop_assert_eq!(found.0.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (key, (count, errors, latencies, first, last)) in expected {
            let window = &found.0[&key];
            prop_assert_eq!((window.count, window.errors), (count, errors), "{:?}", key);
            let rows = &window.rows.as_ref().unwrap().place;
            prop_assert_eq!((rows.object.as_str(), rows.first_line, rows.last_line), ("raw/a.jsonl", first, last));
            prop_assert_eq!(window.error_rows.is_some(), errors > 0);
            let summary = window.latencies.summary();
            prop_assert_eq!(summary.map_or(0, |summary| summary.count), latencies.len() as u64);
            let longest = latencies.iter().copied().fold(0.0, f64::max);
            prop_assert_eq!(summary.map_or(0.0, |summary| summary.max).to_bits(), longest.to_bits());
            if let Some(slowest) = &window.slowest {
                let line = &lines[usize::try_from(slowest.place.first_line).unwrap() - 1];
                prop_assert_eq!(line.milliseconds, Some(longest));
            }
        }
    }
}

#[test]
fn a_window_names_the_object_that_has_most_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |rows: usize, errors: usize| {
        let line = |is_error: bool| Line {
            second: 5,
            service: Some("pay"),
            level: Some(if is_error { "error" } else { "info" }),
            status: None,
            milliseconds: Some(if is_error { 700.0 } else { 20.0 }),
        };
        (0..rows).fold(String::new(), |text, row| text + &line(row < errors).json() + "\n")
    };
    let first = cleaned(&lines(9, 1), "raw/first.jsonl", folder.path());
    let second = cleaned(&lines(5, 4), "raw/second.jsonl", folder.path());
    for files in [[&*first, &*second].concat(), [&*second, &*first].concat()] {
        let windows = windows(&files);
        let (_, window) = windows.0.iter().next().unwrap();
        assert_eq!((window.count, window.errors), (14, 5));
        let named = [&window.rows, &window.error_rows, &window.slowest].map(|weighed| {
            let place = &weighed.as_ref().unwrap().place;
            (place.object.as_str(), place.first_line, place.last_line)
        });
        // Of two rows that took as long, that of the last object by name, and its last line.
        assert_eq!(named, [("raw/first.jsonl", 1, 9), ("raw/second.jsonl", 1, 4), ("raw/second.jsonl", 4, 4)]);
    }
}

#[test]
fn what_is_no_file_of_rows_says_what_is_wrong() {
    let problem = |bytes: &[u8]| match windows_of(bytes::Bytes::copy_from_slice(bytes), "unknown") {
        Err(error @ ReadError::Parquet(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(problem(b"").starts_with("not readable as Parquet: "));
    assert!(problem(b"{}{}{}{}{}{}{}").starts_with("not readable as Parquet: "));
    let windows = Windows(BTreeMap::from([((NOON, "pay".to_owned()), Window::default())]));
    let other = HourFile { windows, ..HourFile::default() };
    let error = windows_of(other.to_bytes().unwrap(), "unknown").unwrap_err();
    assert_eq!(error.to_string(), "the column time is missing, or of another type");
}
