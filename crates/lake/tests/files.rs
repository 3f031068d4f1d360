//! What is in the lake's folder after cleaning: files an hour, sorted row groups, the same files again, the quarantine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use millrace_lake::{Folder, LakeWriter, Report, Source, clean};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::record::{Field, Row};

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
        (&2.into(), &5.into(), &"/wH+".into())
    );
    assert_eq!(entries[0]["source"], "raw/app.log");
    let pieces = entries.iter().filter(|entry| entry["reason"] == "line_too_long");
    let bytes: usize =
        pieces.map(|piece| piece["base64"].as_str().expect("a text").trim_end_matches('=').len() * 3 / 4).sum();
    assert_eq!(bytes, long.len());
}
