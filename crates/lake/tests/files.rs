//! What is in the lake's folder after cleaning: files an hour, sorted row groups, the same files again, the quarantine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use millrace_lake::{Batch, Folder, LakeWriter, Quarantined, Report, Sink, Source, clean};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::record::{Field, Row};
use proptest::prelude::*;
use serde_json::{Value, json};

fn source() -> Source {
    Source {
        name: "raw/app.log".to_owned(),
        identity: "raw/app.log".to_owned(),
        service: "pay".to_owned(),
        observed: 1_795_867_200_000_000_000,
        offset: 0,
    }
}

fn cleaned(log: &[u8], lake: &Path) -> (Report, Vec<String>) {
    let source = source();
    let mut files = Folder::new(lake);
    let mut writer = LakeWriter::new(&mut files, &source);
    let report = clean(log, &source, &mut writer).expect("the log is cleaned");
    (report, writer.finish().expect("the files are written"))
}

/// The rows of a file, by the names of their columns.
fn rows(path: &Path) -> Vec<BTreeMap<String, Field>> {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("a Parquet file");
    let rows = reader.get_row_iter(None).expect("rows");
    let columns = |row: Row| row.into_columns().into_iter().collect();
    rows.map(|row| columns(row.expect("a row"))).collect()
}

fn long(field: &Field) -> i64 {
    match field {
        Field::Long(value) | Field::TimestampMicros(value) => *value,
        other => panic!("{other:?} is no number"),
    }
}

/// JSON lines at these Unix seconds.
fn log_at(seconds: impl IntoIterator<Item = i64>) -> String {
    seconds.into_iter().fold(String::new(), |mut log, second| {
        let time = Timestamp::from_second(second).expect("a time");
        writeln!(log, r#"{{"time":"{time}","msg":"at {second}"}}"#).expect("memory");
        log
    })
}

/// A clock that runs backwards through more hours than files are open at once.
#[test]
fn rows_lie_in_the_folder_of_their_own_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = 1_795_867_200;
    let seconds: Vec<i64> = (0..2_000).rev().map(|index| first + index * 97 % 360_000).collect();
    let (report, paths) = cleaned(log_at(seconds.iter().copied()).as_bytes(), folder.path());
    assert_eq!(report.rows, 2_000);
    let mut found = Vec::new();
    for path in &paths {
        for row in rows(&folder.path().join(path)) {
            let time = Timestamp::from_nanosecond(i128::from(long(&row["time_ns"]))).expect("a time");
            let expected = time.strftime("cleaned/dt=%Y-%m-%d/hour=%-H/").to_string();
            assert!(path.starts_with(&expected), "{time} is in {path}");
            assert_eq!(long(&row["time"]), time.as_microsecond());
            found.push(time.as_second());
        }
    }
    let mut expected = seconds;
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn row_groups_are_sorted_and_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = 1_795_867_200;
    // Enough for several batches, each with earlier rows than the one before.
    let seconds = (0..150_000).map(|index| first + (150_000 - index) / 50);
    let (_, paths) = cleaned(log_at(seconds).as_bytes(), folder.path());
    let reader =
        SerializedFileReader::new(File::open(folder.path().join(&paths[0])).expect("a file")).expect("Parquet");
    let metadata = reader.metadata();
    assert!(metadata.num_row_groups() > 1, "a group ends where the order would break");
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let sorted = group.sorting_columns().expect("the order is in the metadata");
        assert_eq!((sorted[0].column_idx, sorted[0].descending), (1, false));
        let Some(Statistics::Int64(statistics)) = group.column(1).statistics() else { panic!("no statistics of time") };
        let group_reader = reader.get_row_group(index).expect("a group");
        let rows = group_reader.get_row_iter(None).expect("rows");
        let rows = rows.map(|row| long(&row.expect("a row").into_columns()[1].1));
        let times: Vec<i64> = rows.collect();
        assert!(times.is_sorted());
        assert_eq!((statistics.min_opt(), statistics.max_opt()), (times.first(), times.last()));
    }
}

#[test]
fn cleaning_again_writes_the_same_files_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_at((0..5_000).map(|index| 1_795_867_200 + index)) + "no time\n\0\u{1}\u{2}\n";
    let contents = |paths: &[String]| -> Vec<Vec<u8>> {
        paths.iter().map(|path| fs::read(folder.path().join(path)).expect("a file")).collect()
    };
    let (_, first) = cleaned(log.as_bytes(), folder.path());
    let before = contents(&first);
    let (_, again) = cleaned(log.as_bytes(), folder.path());
    assert_eq!(again, first);
    assert_eq!(contents(&again), before);
    let mut all = Vec::new();
    files_below(folder.path(), &mut all);
    assert_eq!(all.len(), first.len(), "{all:?}");
}

fn files_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path.display().to_string()) }
    }
}

#[test]
fn quarantined_lines_keep_their_bytes_reason_and_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "x".repeat(2 << 20);
    let lines = [b"text\n\x00\xFF\x01\xFE\n".as_slice(), long.as_bytes(), b"\nlast\n"].concat();
    let (report, paths) = cleaned(&lines, folder.path());
    assert_eq!((report.lines, report.rows, report.quarantined), (4, 2, 2));
    let path = paths.iter().find(|path| path.starts_with("quarantine/")).expect("a file in quarantine/");
    let mut text = String::new();
    let file = File::open(folder.path().join(path)).expect("a file");
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    let entries: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(entries[0]["reason"], "not_text");
    assert_eq!(
        (&entries[0]["line"], &entries[0]["offset"], &entries[0]["base64"]),
        (&2.into(), &5.into(), &"AP8B/g==".into())
    );
    assert_eq!(entries[0]["source"], "raw/app.log");
    let pieces = entries.iter().filter(|entry| entry["reason"] == "line_too_long");
    let bytes: usize =
        pieces.map(|piece| piece["base64"].as_str().expect("a text").trim_end_matches('=').len() * 3 / 4).sum();
    assert_eq!(bytes, long.len());
}

/// More values than a dictionary finds again: which of them are in it twice is the same each time.
#[test]
fn the_same_object_is_the_same_bytes() {
    let lines: String = (0..90_000_u32).fold(String::new(), |lines, index| {
        let value = index.wrapping_mul(2_654_435_761) % 45_000;
        lines + &format!("{{\"time\":\"2026-11-28T09:00:00Z\",\"msg\":\"m\",\"path\":\"/orders/{value}\"}}\n")
    });
    let bytes = || {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, paths) = cleaned(lines.as_bytes(), folder.path());
        paths.iter().map(|path| fs::read(folder.path().join(path)).expect("a file")).collect::<Vec<_>>()
    };
    assert!(bytes() == bytes());
}

/// Writes rows, and keeps what they are, by their ids.
struct Kept<'w, 'f> {
    writer: &'w mut LakeWriter<'f>,
    rows: BTreeMap<String, Value>,
}

impl Sink for Kept<'_, '_> {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        for view in batch.views(&source.name) {
            self.rows.insert(view.id.to_owned(), serde_json::to_value(&view)?);
        }
        self.writer.rows(batch, source)
    }

    fn quarantine(&mut self, line: Quarantined<'_>, source: &Source) -> io::Result<()> {
        self.writer.quarantine(line, source)
    }
}

/// A value of a file's row as that of a record on `cleaned-logs`.
fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Str(text) => json!(text),
        Field::Int(number) => json!(number),
        Field::Long(number) | Field::TimestampMicros(number) => json!(number),
        Field::Double(number) => json!(number),
        Field::MapInternal(map) => {
            let name = |name: &Field| value(name).as_str().expect("a name").to_owned();
            map.entries().iter().map(|(key, field)| (name(key), value(field))).collect::<serde_json::Map<_, _>>().into()
        }
        other => panic!("{other:?} is in no column"),
    }
}

/// Cleans lines, and compares each row of the files with what was handed on to be written. Returns how many there are.
fn compared(log: &str) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, mut files) = (source(), Folder::new(folder.path()));
    let mut writer = LakeWriter::new(&mut files, &source);
    let mut kept = Kept { writer: &mut writer, rows: BTreeMap::new() };
    clean(log.as_bytes(), &source, &mut kept).expect("the log is cleaned");
    let mut expected = kept.rows;
    let count = expected.len();
    for path in writer.finish().expect("the files are written") {
        for row in rows(&folder.path().join(&path)) {
            let mut row: serde_json::Map<_, _> = row.iter().map(|(name, field)| (name.clone(), value(field))).collect();
            let mut wanted = expected.remove(row["id"].as_str().expect("an id")).expect("a row that was handed on");
            // Those of files are numbers, those of records texts.
            let micros = |time: &Value| {
                let time: Timestamp = time.as_str().expect("a time").parse().expect("a time");
                json!(i64::try_from(time.as_nanosecond().div_euclid(1_000)).expect("64 bits"))
            };
            for name in ["time", "observed_time"] {
                wanted[name] = micros(&wanted[name]);
            }
            row.retain(|name, _| name != "dt" && name != "hour");
            assert_eq!(Value::from(row), wanted, "{path}");
        }
    }
    assert!(expected.is_empty(), "{} rows are in no file", expected.len());
    count
}

/// One of a few values, one of its own, an empty one or none.
fn attribute() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (0..4_u8).prop_map(|number| json!(format!("value-{number}"))),
        2 => any::<u64>().prop_map(|number| json!(number.to_string())),
        1 => Just(json!("")),
        1 => Just(Value::Null),
        1 => "\\PC{0,40}".prop_map(|text| json!(text)),
    ]
}

fn record() -> impl Strategy<Value = Value> {
    let attributes = proptest::collection::btree_map("[a-f]", attribute(), 0..5);
    let level = proptest::option::of(prop_oneof![Just("info"), Just("error"), Just("WARN")]);
    let (duration, status) = (proptest::option::of(0.0..1e6_f64), proptest::option::of(100..600_i32));
    (0..10_000_i64, "\\PC{0,30}", attributes, level, duration, status).prop_map(
        |(second, message, attributes, level, duration, status)| {
            let time = Timestamp::from_second(1_795_867_200 + second).expect("a time").to_string();
            let mut record = json!({"time": time, "msg": message});
            for (name, attribute) in attributes {
                record[format!("x_{name}")] = attribute;
            }
            for (name, field) in [
                ("level", level.map(|level| json!(level))),
                ("duration_ms", duration.map(|duration| json!(duration))),
                ("status", status.map(|status| json!(status))),
            ] {
                if let Some(field) = field {
                    record[name] = field;
                }
            }
            record
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever rows have: nulls, empty texts, equal values, no attributes at all.
    #[test]
    fn each_row_is_in_a_file_as_it_was_handed_on(records in proptest::collection::vec(record(), 0..120)) {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        prop_assert_eq!(compared(&lines.join("\n")), records.len());
    }
}

/// More rows than a page and a row group take, and more values than a dictionary finds again.
#[test]
fn rows_of_many_pages_are_in_a_file_as_they_were_handed_on() {
    const ROWS: u32 = 110_000;
    let mut log = String::new();
    for row in 0..ROWS {
        let time = Timestamp::from_millisecond(1_795_867_200_000 + i64::from(row)).expect("a time");
        let (order, customer) = (row % 45_000, row.wrapping_mul(2_654_435_761) % 70_000);
        let absent = if row % 7 == 0 { "" } else { ",\"region\":\"eu\"" };
        writeln!(
            log,
            r#"{{"time":"{time}","level":"info","msg":"order {order}","order":"o{order}","customer":"c{customer}","duration_ms":{}{absent}}}"#,
            row % 1_000,
        )
        .expect("memory");
    }
    assert_eq!(compared(&log), ROWS as usize);
}
