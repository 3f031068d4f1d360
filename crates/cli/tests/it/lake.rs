//! `millrace lake clean` on files of one's own.

use serde_json::Value;

use crate::millrace::Millrace;

const LOG: &str = "\
2026-11-28 09:15:00,500 ERROR app.Pay (Pay.java:1) - failed\n\
java.lang.IllegalStateException: outer\n\
\tat app.Pay.pay(Pay.java:7)\n\
2026-11-28 09:15:01,500 INFO  app.Pay (Pay.java:2) - next\n\
\n";

/// Runs a script in a folder of its own; its `$0` is `millrace`.
fn shell(script: &str) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_millrace")])
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[tokio::test]
async fn lines_are_reported_by_format_and_counted_once() {
    let run = Millrace::new(["lake", "clean", "app.log", "--json", "/dev/stderr"]).file("app.log", LOG).run().await;
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("FORMAT  ROWS  SHARE\nhadoop  2     100.0 %\n\n5 lines, "), "{}", run.stdout);
    assert!(run.stdout.contains(": 2 rows, 2 joined, 1 blank\n1 file in lake/cleaned\n"), "{}", run.stdout);
    let report: Value = serde_json::from_str(&run.stderr).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((count("lines"), count("rows"), count("joined"), count("blank")), (5, 2, 2, 1));
    assert_eq!((count("duplicates"), count("quarantined"), count("bytes")), (0, 0, LOG.len() as u64));
    assert_eq!(report["formats"], serde_json::json!({"hadoop": 2}));
    let file = report["files"][0].as_str().unwrap();
    assert!(file.starts_with("cleaned/dt=2026-11-28/hour=9/app-") && file.ends_with(".parquet"), "{file}");
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn standard_input_and_an_offset_are_taken() {
    let arguments = ["lake", "clean", "-", "--utc-offset", "+09:00", "--json", "/dev/stderr"];
    let run = Millrace::new(arguments).input(LOG.as_bytes()).run().await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let report: Value = serde_json::from_str(&run.stderr).unwrap();
    assert!(report["files"][0].as_str().unwrap().starts_with("cleaned/dt=2026-11-28/hour=0/"), "{report}");
}

/// What cannot be read is named, and what can is cleaned.
#[tokio::test]
async fn a_missing_file_fails_and_the_others_are_cleaned() {
    let run = Millrace::new(["lake", "clean", "missing.log", "app.log", "."]).file("app.log", LOG).run().await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("error: cannot read missing.log: No such file"), "{}", run.stderr);
    assert!(run.stderr.contains("error: cannot read .: it is a folder"), "{}", run.stderr);
    assert!(run.stdout.contains(": 2 rows,"), "{}", run.stdout);
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let run = Millrace::new(["lake", "clean", "app.log", "--utc-offset", "Tokyo"]).run().await;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--utc-offset") && run.stderr.contains("+09:00"), "{}", run.stderr);
}

#[tokio::test]
async fn a_lake_that_cannot_be_written_fails_by_its_name() {
    let run = Millrace::new(["lake", "clean", "app.log", "--out", "app.log/lake"]).file("app.log", LOG).run().await;
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("--out (MILLRACE_OUT): cannot make the folder app.log/lake"), "{}", run.stderr);
}

#[tokio::test]
async fn a_file_that_is_named_twice_is_cleaned_once() {
    let run = Millrace::new(["lake", "clean", "app.log", "./app.log"]).file("app.log", LOG).run().await;
    assert!(run.ok().contains(": 2 rows, 2 joined, 1 blank\n1 file in lake/cleaned\n"));
}

/// Rows without a time lie in the hour in which their file was last written: the earlier run's are replaced.
#[tokio::test]
async fn rows_that_moved_to_another_hour_are_there_once() {
    let script = "printf 'a line\\n' > app.log; touch -d 2026-11-28T01:00:00Z app.log; \"$0\" lake clean app.log; \
                  touch -d 2026-11-28T05:00:00Z app.log; \"$0\" lake clean app.log; find lake -type f";
    let output = shell(script);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let files: Vec<_> = stdout.lines().filter(|line| line.starts_with("lake/")).collect();
    assert!(
        matches!(&files[..], [file] if file.contains("hour=5")),
        "{stdout} {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A pipe by a name, such as a shell's process substitution.
#[tokio::test]
async fn a_pipe_that_has_a_name_is_read() {
    let script = "printf 'a line\\n' | \"$0\" lake clean /dev/stdin";
    let output = shell(script);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains(": 1 row\n"));
}

/// Standard input that gives nothing more.
#[tokio::test]
async fn a_signal_ends_it_while_it_waits_for_input() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"a line\nhalf a li").unwrap();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_millrace"))
        .args(["lake", "clean", "-", "--out"])
        .arg(tempfile::tempdir().unwrap().path())
        .stdin(reader)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().unwrap().to_string();
    // Its handler of signals is there once it has read.
    let unread = || rustix::io::ioctl_fionread(&writer).is_ok_and(|unread| unread > 0);
    let timeout = std::time::Duration::from_secs(20);
    millrace_testkit::eventually(timeout, "its input is read", async || (!unread()).then_some(())).await;
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let status = tokio::time::timeout(timeout, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn what_was_cleaned_is_reported_by_service() {
    let script = "printf '%s\\n' '{\"time\":\"2026-11-28T01:00:00Z\",\"level\":\"error\",\"msg\":\"x\",\"duration_ms\":7}' > a.log; \
                  \"$0\" lake clean --service pay a.log >/dev/null && \"$0\" lake report --lake lake && \
                  \"$0\" lake report --lake lake --json | tr -d ' \\n'; \"$0\" lake report --lake lake --svg | head -c 4";
    let run = shell(script);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(
        text.starts_with("2026-11-28 01:00 to 2026-11-28 01:01 UTC\n\nSERVICE  ROWS  ERRORS  SHARE    P50 ms"),
        "{text}"
    );
    assert!(text.contains("\npay      1     1       100.0 %  7."), "{text}");
    assert!(text.contains("\"count\":1,\"error_rate\":1.0,\"errors\":1,"), "{text}");
    assert!(text.ends_with("}<svg"), "{text}");
    let run = shell("mkdir lake; \"$0\" lake report --lake lake; echo $?; \"$0\" lake report --lake nowhere; echo $?");
    assert_eq!(String::from_utf8(run.stdout).unwrap(), "1\n2\n");
    let problems = String::from_utf8(run.stderr).unwrap();
    assert!(problems.contains("lake has no rows\n"), "{problems}");
    assert!(problems.contains("--lake (MILLRACE_LAKE): there is no folder nowhere"), "{problems}");
}

#[test]
fn what_cannot_be_read_or_written_is_told_before_the_work() {
    let mut wrong = vec![
        ("lake clean --out s3://b/x a.log", 2, "(MILLRACE_OUT)': must be a local folder"),
        ("lake clean --json no/r.json a.log", 2, "--json (MILLRACE_JSON): cannot write no/r.json"),
        ("lake clean a.xz a.zip", 1, "cannot read a.xz: it is xz: only gzip and zstd are read"),
        ("lake report --lake lake --last 0s", 2, "must be more than 0"),
    ];
    if !millrace_objects::HAS_S3 {
        wrong.push(("lake report --lake s3://b", 2, "a bucket needs a build with the cargo feature `aws`"));
    }
    for (arguments, code, problem) in wrong {
        let script = format!(
            "printf 'x\\n' > a.log; printf '\\3757zXZ\\0' > a.xz; printf 'PK\\3\\4' > a.zip; \"$0\" {arguments}; echo $?; ls | tr '\\n' ' '"
        );
        let run = shell(&script);
        let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(stderr.contains(problem), "{arguments}: {stderr}");
        assert!(stdout.contains(&format!("{code}\n")) && !stdout.contains("s3:"), "{arguments}: {stdout}");
    }
}

#[test]
fn a_link_and_its_file_are_the_same_rows() {
    let script = "printf 'one\\n' > a.log; ln -s a.log b.log; for file in a.log b.log; do \"$0\" lake clean $file >/dev/null; done; \
                  find lake/cleaned -name '*.parquet' | wc -l";
    assert_eq!(String::from_utf8_lossy(&shell(script).stdout).trim(), "1");
}

/// What it costs is said of a folder, too: the same objects in a bucket cost that.
#[tokio::test]
async fn a_backfills_objects_are_counted_and_priced() {
    let lines = "{\"msg\":\"paid\"}\n".repeat(1_000);
    let run = Millrace::new(["lake", "backfill", "raw/2026/01", "--lake", "lake", "--json"]);
    let run = run.file("lake/raw/2026/01/31/12/a.jsonl", &lines).file("lake/raw/2026/01/31/13/b.jsonl", &lines);
    let run = run.file("lake/raw/2026/02/01/00/c.jsonl", &lines).run().await;
    let report: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!((&report["objects"], &report["cleaned_already"]), (&2.into(), &0.into()), "{report:#}");
    assert_eq!(report["line_bytes"].as_f64(), Some(2.0 * 15_000.0), "{report:#}");
    let items = report["items"].as_array().unwrap();
    let sum: f64 = items.iter().map(|item| item["dollars"].as_f64().unwrap()).sum();
    assert!((report["dollars"].as_f64().unwrap() - sum).abs() < 1e-9 && sum > 0.0, "{report:#}");
    assert!(report["run"].is_null());

    let run = Millrace::new(["lake", "backfill", "raw/2027", "--lake", "lake"]).file("lake/raw/a", "").run().await;
    assert_eq!((run.code, run.stderr.trim()), (Some(1), "lake has no objects with content below raw/2027/"), "{run:?}");
    let run = Millrace::new(["lake", "backfill", "cleaned", "--lake", "lake"]).run().await;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("log-clean reads no other objects"), "{}", run.stderr);
}
