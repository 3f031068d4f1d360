//! What real loggers printed, and the row that each record must become.
//!
//! `fixtures/LANGUAGE/NAME.log` is what a logger printed; `NAME.expected.json` beside it has what is known of each row, made
//! without this crate: its time, read by the logger's own language, its level, body, exception and duration. Only those
//! columns and attributes are compared. The programs that print them are in `tests/loggers`; `scripts/lake loggers` runs them, and
//! this test on what they print then, from the folder that `MILLRACE_LOGGERS` names.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_lake::{Batch, Quarantined, Sink, Source, clean};
use serde_json::{Map, Value};

/// When the fixtures were printed, and a little more: 2026-11-29T20:00:00Z. What is printed now is observed now.
fn observed() -> i64 {
    if std::env::var_os("MILLRACE_LOGGERS").is_none() {
        return 1_795_982_400_000_000_000;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(now.as_nanos()).expect("a time of 64 bits")
}

#[derive(Default)]
struct Rows(Vec<Map<String, Value>>);

impl Sink for Rows {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        for row in batch.views(&source.name) {
            match serde_json::to_value(&row)? {
                Value::Object(row) => self.0.push(row),
                _ => return Err(io::Error::other("a row is an object")),
            }
        }
        Ok(())
    }

    fn quarantine(&mut self, line: Quarantined<'_>, _: &Source) -> io::Result<()> {
        Err(io::Error::other(format!("line {} was quarantined: {:?}", line.line, line.reason)))
    }
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of fixtures")
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| if path.is_dir() { logs(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    found.sort();
    found
}

fn rows_of(log: &Path) -> Vec<Map<String, Value>> {
    let source = Source {
        name: log.display().to_string(),
        identity: String::new(),
        service: String::new(),
        observed: observed(),
        offset: 0,
    };
    let mut rows = Rows::default();
    let input = BufReader::new(fs::File::open(log).expect("a fixture"));
    let report = clean(input, &source, &mut rows).expect("a fixture is readable");
    assert!(report.closes(), "{}: {report:?}", log.display());
    rows.0.sort_by_key(|row| row["line"].as_u64());
    rows.0
}

/// What of the expected row is not so in the row.
fn differences(expected: &Map<String, Value>, row: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in expected {
        if name == "attributes" {
            for (key, value) in value.as_object().into_iter().flatten() {
                let actual = row["attributes"].get(key).unwrap_or(&Value::Null);
                if actual != value {
                    found.push(format!("attribute {key} is {actual}, not {value}"));
                }
            }
            continue;
        }
        let equal = match (row[name].as_f64(), value.as_f64()) {
            (Some(actual), Some(expected)) if name == "duration_ms" => {
                (actual - expected).abs() <= expected.abs() * 1e-12
            }
            _ => row[name] == *value,
        };
        if !equal {
            found.push(format!("{name} is {}, not {value}", row[name]));
        }
    }
    found
}

#[test]
fn each_record_of_real_loggers_becomes_its_row() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folder = std::env::var_os("MILLRACE_LOGGERS").map_or(fixtures, PathBuf::from);
    for log in logs(&folder) {
        let rows = rows_of(&log);
        let text = fs::read_to_string(log.with_extension("expected.json")).expect("the expected rows");
        let expected: Vec<Map<String, Value>> = serde_json::from_str(&text).expect("the expected rows");
        let name = log.strip_prefix(&folder).unwrap_or(&log).display().to_string();
        if rows.len() != expected.len() {
            wrong.push(format!("{name}: {} rows, not {}", rows.len(), expected.len()));
        }
        for (row, expected) in rows.iter().zip(&expected) {
            compared += 1;
            let line = &row["line"];
            wrong.extend(
                differences(expected, row).into_iter().map(|difference| format!("{name}:{line}: {difference}")),
            );
            if rows.len() != expected.len() && !differences(expected, row).is_empty() {
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences in {compared} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 0, "no log was found in {}", folder.display());
}

/// docs/lake.md names each format that the program has, and no other.
#[test]
fn the_page_names_the_formats_of_the_program() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lake.md")).expect("the page");
    let table = page.split("<!-- Names: held by a test against the program. -->").nth(1).expect("the marker");
    let table = table.split("<!-- until here. -->").next().expect("the table");
    let first_column = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let named: BTreeSet<&str> =
        first_column.flat_map(|cell| cell.split('`').step_by(2)).map(|name| name.trim_matches('`')).collect();
    assert_eq!(named, millrace_lake::format_names());
}
