//! The files as other people's programs read them: DuckDB, pyarrow, polars and fastparquet, with the right types.
//!
//! `scripts/lake readers` installs them, and runs this test with the Python that has them in `MILLRACE_READERS`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_lake::compact::compact;
use millrace_lake::metrics::{HourFile, windows_of};
use millrace_lake::{Batch, Folder, LakeWriter, Quarantined, Sink, Source, clean};
use serde_json::{Map, Value};

/// Lines of two hours, with what readers differ on: nulls, an empty map, a null in a map, digits below a microsecond, text
/// beyond ASCII.
const LOG: &str = r#"just text
{"time":"2026-11-28T07:59:59.123456789+09:00","level":"WARN","msg":"café","trace_id":"4BF92F3577B34DA6A3CE929D0E0E4736","span_id":"00f067aa0ba902b7","order":"o1","none":null,"status":404,"duration_ms":1.5}
2026-11-28 09:15:00,5 ERROR app.Pay (Pay.java:1) - failed
java.lang.IllegalStateException: outer
	at app.Pay.pay(Pay.java:7)
{"time":1769860800,"level":"info","msg":""}
"#;

/// The types that readers are to see, in the order of the columns; none where it depends on the encoding.
const TYPES: [(&str, [&str; 21]); 4] = [
    (
        "duckdb",
        [
            "VARCHAR",
            "TIMESTAMP WITH TIME ZONE",
            "BIGINT",
            "VARCHAR",
            "TIMESTAMP WITH TIME ZONE",
            "INTEGER",
            "VARCHAR",
            "VARCHAR",
            "VARCHAR",
            "MAP(VARCHAR, VARCHAR)",
            "VARCHAR",
            "VARCHAR",
            "VARCHAR",
            "VARCHAR",
            "VARCHAR",
            "DOUBLE",
            "INTEGER",
            "VARCHAR",
            "VARCHAR",
            "BIGINT",
            "INTEGER",
        ],
    ),
    (
        "pyarrow",
        [
            "string",
            "timestamp[us, tz=UTC]",
            "int64",
            "string",
            "timestamp[us, tz=UTC]",
            "int32",
            "string",
            "string",
            "string",
            "map<string, string ('attributes')>",
            "string",
            "string",
            "string",
            "string",
            "string",
            "double",
            "int32",
            "string",
            "string",
            "int64",
            "int32",
        ],
    ),
    (
        "polars",
        [
            "String",
            "Datetime(time_unit='us', time_zone='UTC')",
            "Int64",
            "String",
            "Datetime(time_unit='us', time_zone='UTC')",
            "Int32",
            "String",
            "String",
            "String",
            "Map(String, String)",
            "String",
            "String",
            "String",
            "String",
            "String",
            "Float64",
            "Int32",
            "String",
            "String",
            "Int64",
            "Int32",
        ],
    ),
    (
        "fastparquet",
        [
            "",
            "datetime64[us]",
            "int64",
            "",
            "datetime64[us]",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "int64",
            "int32",
        ],
    ),
];

/// Writes a lake, and keeps the rows.
struct Both<'f> {
    writer: LakeWriter<'f>,
    rows: Vec<Map<String, Value>>,
}

impl Sink for Both<'_> {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        for row in batch.views(&source.name) {
            if let Value::Object(row) = serde_json::to_value(row)? {
                self.rows.push(row);
            }
        }
        self.writer.rows(batch, source)
    }

    fn quarantine(&mut self, line: Quarantined<'_>, source: &Source) -> io::Result<()> {
        self.writer.quarantine(line, source)
    }
}

/// A row as readers of microseconds show it: times in ISO 8601 with six digits or none.
fn as_read(mut row: Map<String, Value>) -> Map<String, Value> {
    for name in ["time", "observed_time"] {
        let time: jiff::Timestamp = row[name].as_str().expect("a time").parse().expect("RFC 3339");
        let form = if time.subsec_nanosecond() / 1_000 == 0 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.6f" };
        row.insert(name.to_owned(), format!("{}+00:00", time.strftime(form)).into());
    }
    row
}

/// The Python that has the readers.
fn python() -> OsString {
    std::env::var_os("MILLRACE_READERS").expect("MILLRACE_READERS: run scripts/lake readers")
}

fn source() -> Source {
    Source {
        name: "app.log".to_owned(),
        identity: "app.log".to_owned(),
        service: "pay".to_owned(),
        observed: 1_795_867_200_000_000_000,
        offset: 0,
    }
}

/// Cleans the log into a lake in this folder; returns its rows.
fn lake_in(folder: &Path) -> Vec<Map<String, Value>> {
    let source = source();
    let mut files = Folder::new(folder);
    let mut both = Both { writer: LakeWriter::new(&mut files, &source), rows: Vec::new() };
    clean(LOG.as_bytes(), &source, &mut both).expect("the log is cleaned");
    let Both { writer, mut rows } = both;
    assert_eq!(writer.finish().expect("the files are written").len(), 4);
    rows.sort_by_key(|row| row["line"].as_u64());
    rows
}

/// Puts a compacted file in the place of each.
fn compact_each(folder: &Path) {
    let space = tempfile::tempdir().expect("a folder");
    for path in files_below(&folder.join("cleaned")) {
        let hour = path.parent().and_then(|hour| hour.strip_prefix(folder).ok()).expect("the hour's folder");
        let stem = format!("{}/compacted-0", hour.display());
        let compacted = compact(std::slice::from_ref(&path), &stem, &mut Folder::new(folder), space.path());
        assert_eq!(compacted.expect("it is compacted").files, [format!("{stem}-0.parquet")]);
        fs::remove_file(path).expect("it is removed");
    }
}

/// Files as they were cleaned, and compacted ones.
#[test]
fn readers_see_the_rows_and_their_types() {
    for is_compacted in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let rows: Vec<_> = lake_in(folder.path()).into_iter().map(as_read).collect();
        if is_compacted {
            compact_each(folder.path());
        }
        are_seen(folder.path(), &rows);
    }
}

fn are_seen(folder: &Path, rows: &[Map<String, Value>]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers/read.py");
    let output = Command::new(python()).arg(script).arg(folder).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).expect("the readers' JSON");

    let schema = millrace_lake::schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    for (reader, types) in TYPES {
        let seen = &seen[reader];
        for (name, expected) in names.iter().zip(types) {
            if expected.is_empty() {
                continue;
            }
            assert_eq!(seen["types"][name], expected, "{reader}: the type of {name}");
        }
        let found = seen["rows"].as_array().expect("rows");
        assert_eq!(found.len(), rows.len(), "{reader}");
        for (found, row) in found.iter().zip(rows) {
            for (name, value) in row {
                assert_eq!(&found[name], value, "{reader}: {name} of line {}", row["line"]);
            }
        }
        // The hour of a folder is a number in all of them; fastparquet was given single files.
        let hours: &[i32] = if reader == "fastparquet" { &[] } else { &[9, 12, 22] };
        assert_eq!(seen["hours"], serde_json::json!(hours), "{reader}");
    }
}

/// Dictionaries of attributes are never given up for plain pages, of which fastparquet shows keys in the place of values.
#[test]
fn attributes_of_many_values_are_read_right_by_all() {
    const SCRIPT: &str = r#"
import sys, glob, duckdb, polars, fastparquet, pyarrow.parquet
path = glob.glob(sys.argv[1] + "/cleaned/*/*/*.parquet")[0]
maps = {
    "duckdb": [row[0] for row in duckdb.sql(f"select attributes from '{path}' order by line").fetchall()],
    "pyarrow": [dict(pairs) for pairs in pyarrow.parquet.read_table(path).column("attributes").to_pylist()],
    "polars": [pairs if isinstance(pairs, dict) else {p["key"]: p["value"] for p in pairs} for pairs in polars.read_parquet(path)["attributes"].to_list()],
    "fastparquet": fastparquet.ParquetFile(path).to_pandas()["attributes"].tolist(),
}
for reader, rows in maps.items():
    wrong = [(i, row) for i, row in enumerate(rows) if row != {"path": f"/a/path/of/some/length/{i}"}]
    assert len(rows) == 60000 and not wrong, (reader, len(rows), wrong[:2])
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let log: String = (0..60_000).fold(String::new(), |log, index| {
        log + &format!(
            "{{\"time\":\"2026-11-28T09:00:00Z\",\"msg\":\"m\",\"path\":\"/a/path/of/some/length/{index}\"}}\n"
        )
    });
    let source = source();
    let mut files = Folder::new(folder.path());
    let mut writer = LakeWriter::new(&mut files, &source);
    clean(log.as_bytes(), &source, &mut writer).expect("the log is cleaned");
    assert_eq!(writer.finish().expect("the file is written").len(), 1);
    let output = Command::new(python()).args(["-c", SCRIPT]).arg(folder.path()).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Writes the metrics of the lake's rows beside them.
fn metrics_in(folder: &Path) {
    let mut hours: BTreeMap<PathBuf, HourFile> = BTreeMap::new();
    for path in files_below(&folder.join("cleaned")) {
        let windows = windows_of(File::open(&path).expect("a file"), "unknown").expect("its windows");
        let hour = path.parent().expect("an hour").strip_prefix(folder.join("cleaned")).expect("below the lake");
        hours.entry(folder.join("metrics").join(hour)).or_default().windows.merge(windows);
    }
    for (hour, file) in hours {
        fs::create_dir_all(&hour).expect("a folder");
        fs::write(hour.join("metrics.parquet"), file.to_bytes().expect("the metrics")).expect("a file");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// The same values of the metrics in all readers; the sketch as it is, to a program that has never seen Millrace.
#[test]
fn readers_see_the_metrics() {
    const SCRIPT: &str = r#"
import sys, glob, duckdb, polars, fastparquet, pyarrow.parquet
from rddsketch import DDSketch
paths = sorted(glob.glob(sys.argv[1] + "/metrics/*/*/metrics.parquet"))
path = next(path for path in paths if "dt=2026-11-27" in path)
names = ["service", "count", "errors", "error_rate", "latency_count", "latency_max", "object", "first_line", "slowest_line"]
rows = {
    "duckdb": duckdb.sql(f"select * from '{path}'").fetchdf().to_dict("records"),
    "pyarrow": pyarrow.parquet.read_table(path).to_pylist(),
    "polars": polars.read_parquet(path).to_dicts(),
    "fastparquet": fastparquet.ParquetFile(path).to_pandas().to_dict("records"),
}
for reader, (row,) in rows.items():
    assert [row[name] for name in names] == ["pay", 1, 0, 0.0, 1, 1.5, "app.log", 2, 2], (reader, row)
    assert str(row["window_start"]).startswith("2026-11-27 22:59:00"), (reader, row)
    sketch = DDSketch.from_bytes(bytes(row["latency_sketch"]), 0.01)
    assert sketch.count == 1 and abs(sketch.quantile(0.5) / 1.5 - 1) < 0.01, (reader, row)
    assert abs(row["latency_p95"] / 1.5 - 1) < 0.01, (reader, row)
"#;
    let folder = tempfile::tempdir().expect("a folder");
    lake_in(folder.path());
    metrics_in(folder.path());
    let output = Command::new(python()).args(["-c", SCRIPT]).arg(folder.path()).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn queries_of_the_page_find_rows() {
    const SCRIPT: &str = "import sys, duckdb; print(len(duckdb.sql(sys.argv[1]).fetchall()))";
    let folder = tempfile::tempdir().expect("a folder");
    lake_in(folder.path());
    metrics_in(folder.path());
    let page = include_str!("../../../../docs/lake.md");
    let queries = page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    // Athena's tables are tried where they are deployed.
    let queries: Vec<&str> = queries.filter(|query| query.contains("'lake/")).collect();
    assert_eq!(queries.len(), 4);
    for query in queries {
        let query = query.replace("'lake/", &format!("'{}/", folder.path().display()));
        let output = Command::new(python()).args(["-c", SCRIPT, &query]).output().expect("Python starts");
        assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        assert_ne!(String::from_utf8_lossy(&output.stdout).trim(), "0", "{query}");
    }
}
