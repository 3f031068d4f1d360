//! Objects in a folder.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use millrace_lake::{Batch, Quarantined, Sink, Source, clean};
use millrace_testkit::Program;
use serde_json::{Value, json};

use crate::program::command;
use crate::shipped::{broker, ids, objects, produce};

#[tokio::test(flavor = "multi_thread")]
async fn records_become_lines_of_objects_named_by_their_first() {
    let (broker, folder) = (broker(1), tempfile::tempdir().unwrap());
    let mut start = command();
    start.args(["--kafka", broker.bootstrap_servers(), "--logs-batch-age", "200ms", "--logs-to"]).arg(folder.path());
    let program = Program::start(&mut start).await;
    program.joined().await;
    produce(&broker, ["{\n\"level\": \"info\"\n}", "GET / 200", "{\"n\":1.50}"]).await;
    program.processed("log-shipper", 3).await;
    program.stop().await;

    let objects = objects(folder.path());
    let mut next = 0;
    for (path, lines) in &objects {
        let name = path.strip_prefix("raw/").and_then(|path| path.rsplit('/').next()).unwrap();
        let [first, time] =
            name.strip_prefix("raw-logs-0-").unwrap().strip_suffix(".jsonl.gz").unwrap().split('-').collect::<Vec<_>>()
                [..]
        else {
            panic!("{path}")
        };
        assert_eq!(first.parse(), Ok(next), "{path}");
        let at = lines[0]["millrace"]["at"].as_str().unwrap();
        assert_eq!(&path[4..17], at[..13].replace(['-', 'T'], "/"), "the hour of the first record");
        assert_eq!(time.len(), 13, "milliseconds: {path}");
        next += lines.len();
    }
    let lines: Vec<&Value> = objects.values().flatten().collect();
    assert_eq!(ids(lines.iter().copied()), ["0", "1", "2"]);
    let values: Vec<&Value> = lines.iter().map(|line| &line["record"]).collect();
    assert_eq!(values[..2], [&json!({"level": "info"}), &json!("GET / 200")]);
    assert!(lines.iter().all(|line| line["millrace"]["service"] == "shop"));
}

/// The rows of cleaned objects, as JSON.
#[derive(Default)]
struct Rows(Vec<Value>);

impl Sink for Rows {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        self.0.extend(batch.views(&source.name).map(|row| serde_json::to_value(row).unwrap()));
        Ok(())
    }

    fn quarantine(&mut self, line: Quarantined<'_>, _source: &Source) -> io::Result<()> {
        panic!("{line:?}")
    }
}

impl Rows {
    fn clean(&mut self, object: &Path) {
        let (name, identity) = ("raw".to_owned(), object.display().to_string());
        let source = Source { name, identity, service: "unknown".to_owned(), observed: 0, offset: 0 };
        clean(BufReader::new(File::open(object).unwrap()), &source, self).unwrap();
    }
}

/// Each record is a row of its own format, under its event's id and its service.
#[tokio::test(flavor = "multi_thread")]
async fn the_lake_reads_what_is_shipped() {
    let (broker, folder) = (broker(1), tempfile::tempdir().unwrap());
    let mut start = command();
    start.args(["--kafka", broker.bootstrap_servers(), "--logs-batch-age", "200ms", "--logs-compression", "zstd"]);
    let program = Program::start(start.arg("--logs-to").arg(folder.path())).await;
    program.joined().await;
    let values = [
        "{\"level\":\"warn\",\"time\":\"2026-01-31T12:00:00.25Z\",\n \"msg\":\"low\"}",
        "{\"message\":\"2026-01-31T12:00:01Z level=error msg=\\\"no room\\\" size=7\"}",
        "127.0.0.1 - - [31/Jan/2026:12:00:02 +0000] \"GET /a HTTP/1.1\" 503 7",
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nValueError: no",
    ];
    produce(&broker, values).await;
    program.processed("log-shipper", 4).await;
    program.stop().await;

    let mut rows = Rows::default();
    for path in objects(folder.path()).keys() {
        assert!(path.ends_with(".jsonl.zst"), "{path}");
        rows.clean(&folder.path().join(path));
    }
    rows.0.sort_by_key(|row| row["id"].to_string());
    let found: Vec<Value> =
        rows.0.iter().map(|row| json!([row["id"], row["service"], row["body"], row["format"]])).collect();
    assert_eq!(
        found,
        [
            json!(["0", "shop", "low", "json"]),
            json!(["1", "shop", "no room", "logfmt"]),
            json!(["2", "shop", "GET /a HTTP/1.1", "access"]),
            json!(["3", "shop", "ValueError: no", "plain"]),
        ],
        "{:#?}",
        rows.0
    );
    assert_eq!(rows.0[0]["time"], "2026-01-31T12:00:00.25Z");
    assert_eq!(rows.0[2]["status"], 503);
    assert_eq!(rows.0[3]["exception_type"], "ValueError");
}
