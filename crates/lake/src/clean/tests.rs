use std::io::Write;

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// The rows of an input as `format | severity | service | body`, and what was quarantined.
#[derive(Default)]
struct Kept {
    rows: Vec<String>,
    ids: Vec<String>,
    quarantined: Vec<(u64, &'static str, usize)>,
}

impl Sink for Kept {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        for row in batch.views(&source.name) {
            let severity = row.severity_number.map_or("-".to_owned(), |number| number.to_string());
            self.rows.push(format!("{} | {severity} | {} | {}", row.format, row.service.unwrap_or("-"), row.body));
            self.ids.push(row.id.to_owned());
            let mut names: Vec<_> = row.attributes.names().collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a map has each key once: {names:?}");
        }
        Ok(())
    }

    fn quarantine(&mut self, line: Quarantined<'_>, _: &Source) -> io::Result<()> {
        self.quarantined.push((line.line, line.reason.as_str(), line.bytes.len()));
        Ok(())
    }
}

fn source() -> Source {
    Source {
        name: "raw/app.log".to_owned(),
        identity: "raw/app.log".to_owned(),
        service: String::new(),
        observed: 1_795_867_200_000_000_000,
        offset: 0,
    }
}

fn cleaned(input: &[u8]) -> (Report, Kept) {
    let mut kept = Kept::default();
    let report = clean(input, &source(), &mut kept).expect("the input is read");
    assert!(report.closes(), "{report:?}");
    assert_eq!(report.rows, kept.rows.len() as u64);
    (report, kept)
}

#[test]
fn a_stack_trace_belongs_to_its_line() {
    let (report, kept) = cleaned(
        b"2026-01-31 12:00:00,123 ERROR [main] a.B: failed\njava.lang.IllegalStateException: outer\n\tat a.B.c(B.java:1)\n\
          Caused by: java.lang.RuntimeException: inner\n\t... 1 more\n2026-01-31 12:00:01,123 INFO [main] a.B: next\n",
    );
    assert_eq!(kept.rows, ["hadoop | 17 | - | failed", "hadoop | 9 | - | next"]);
    assert_eq!((report.lines, report.joined), (6, 4));
}

#[test]
fn a_panic_of_rust_is_one_record() {
    let (report, kept) = cleaned(
        b"2026-01-31T12:00:00.123456Z  INFO shop: begins\n\nthread 'worker 1' (6401) panicked at src/a.rs:2:7:\n\
          assertion `left == right` failed: sums of pay\n  left: 1\n right: 2\nstack backtrace:\n   0: __rustc::rust_begin_unwind\n\
          \x20            at /rustc/5980/library/std/src/panicking.rs:689:5\n   1: a::main\n\
          note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n\
          thread 'main' panicked at 'no broker', src/main.rs:3:9\n\
          note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\nafter\n",
    );
    assert_eq!(
        kept.rows,
        [
            "tracing | 9 | - | begins",
            "rust-panic | 21 | - | panic: assertion `left == right` failed: sums of pay\n  left: 1\n right: 2",
            "rust-panic | 21 | - | panic: no broker",
            "plain | - | - | after"
        ]
    );
    assert_eq!((report.lines, report.joined, report.blank), (14, 9, 1));
}

#[test]
fn the_layouts_of_java_are_told_apart() {
    let (_, kept) = cleaned(
        b"2026-11-30 21:06:39,014 INFO  [main] com.example.Shop - order placed\n\
          2026-11-30 21:06:39,015 INFO  com.example.Shop - a - b\n2026-11-30 21:06:39,016 INFO [main] com.example.Shop: order\n\
          2026-11-30 21:06:39,017 INFO  [org.jboss.as] (Controller Boot Thread) started\n\
          30-Nov-2026 21:06:39.018 INFO [main] org.apache.catalina.startup.Catalina.start Server startup\n",
    );
    assert_eq!(
        kept.rows,
        [
            "log4j | 9 | - | order placed",
            "log4j | 9 | - | a - b",
            "hadoop | 9 | - | order",
            "jboss | 9 | - | started",
            "tomcat | 9 | - | Server startup"
        ]
    );
}

#[test]
fn of_keys_that_mean_the_same_one_without_a_value_does_not_count() {
    let (_, kept) = cleaned(
        br#"{"time":null,"timestamp":"2026-01-30T12:00:00Z","level":null,"severity":"ERROR","msg":null,"message":"real","service":"","service.name":"pay"}
{"level":"info","severity":"ERROR","msg":"first","message":"second","service":"a","service_name":"b"}
"#,
    );
    assert_eq!(kept.rows, ["json | 17 | pay | real", "json | 9 | a | first"]);
}

#[test]
fn a_number_behind_a_time_is_no_offset() {
    let (_, kept) = cleaned(
        b"2026-01-31 12:00:00 -12 items left\n2026-01-31 12:00:00 +1500 points\n2026-01-31 12:00:00 +0900 INFO paid\n",
    );
    let bodies: Vec<_> = kept.rows.iter().map(|row| row.rsplit(" | ").next().unwrap()).collect();
    assert_eq!(bodies, ["-12 items left", "+1500 points", "paid"]);
}

#[test]
fn a_relays_line_has_its_program_and_its_trace() {
    let (_, kept) = cleaned(
        b"2026-10-11T22:14:15.003123+02:00 web CRON[99]: started\n2026-10-11T22:14:16.003123+02:00 web pay: next\n\
          2026-10-11T22:14:17.003123+02:00 web java.lang.RuntimeException: x\n\
          Nov 28 18:13:10 web app[9]: java.lang.RuntimeException: x#012#011at a.b(C.java:1)\n",
    );
    assert_eq!(
        kept.rows,
        [
            "syslog | - | CRON | started",
            "syslog | - | pay | next",
            "syslog | - | - | java.lang.RuntimeException: x",
            "syslog | - | app | java.lang.RuntimeException: x"
        ]
    );
}

#[test]
fn blank_lines_count_as_joined_only_inside_a_record() {
    let (report, _) = cleaned(b"\nplain\n\n  more\n\n\n");
    assert_eq!((report.lines, report.rows, report.joined, report.blank), (6, 1, 2, 3));
}

#[test]
fn what_fits_no_format_is_a_plain_row() {
    let (_, kept) = cleaned("just words\n{\"not\": json\n[1,2]\n<>\n".as_bytes());
    assert_eq!(
        kept.rows,
        ["plain | - | - | just words", "plain | - | - | {\"not\": json", "plain | - | - | [1,2]", "plain | - | - | <>"]
    );
}

#[test]
fn a_shipped_record_is_a_row_whatever_comes_before_and_after() {
    let line = |id: &str, text: &str| {
        format!(
            "{{\"millrace\":{{\"id\":\"{id}\",\"service\":\"shop\",\"at\":\"2026-11-28T12:00:00Z\"}},\"record\":{text:?}}}\n"
        )
    };
    let text = [
        line("1", "2026-11-28T12:00:00Z ERROR boom"),
        line("2", "\tat com.example.Main.run(Main.java:7)"),
        line("3", "hello, a record of its own"),
        line("4", "2026-11-28T12:00:01Z ERROR two\n\tat com.example.Main.run(Main.java:7)"),
        "\tat of.a.line.that.was.not.Shipped(A.java:1)\n".to_owned(),
    ];
    let (report, kept) = cleaned(text.concat().as_bytes());
    assert_eq!(kept.ids[..4], ["1", "2", "3", "4"]);
    assert_eq!((report.rows, report.joined), (5, 0));
}

#[test]
fn equal_lines_stay_and_a_redelivered_record_goes() {
    let (_, twice) = cleaned(b"same\nsame\n");
    assert_eq!(twice.rows.len(), 2);
    assert_ne!(twice.ids[0], twice.ids[1]);
    let record =
        br#"{"millrace":{"id":"e1","service":"pay","at":"2026-11-28T12:00:00Z"},"record":{"message":"INFO: paid"}}"#;
    let (report, kept) = cleaned(&[&record[..], b"\n", record, b"\n"].concat());
    assert_eq!(kept.rows, ["uvicorn | 9 | pay | paid"]);
    assert_eq!(kept.ids, ["e1"]);
    assert_eq!((report.rows, report.duplicates), (1, 1));
}

#[test]
fn cleaning_again_gives_the_same_ids() {
    let input = b"one\n{\"msg\":\"two\"}\n";
    assert_eq!(cleaned(input).1.ids, cleaned(input).1.ids);
}

#[test]
fn binary_and_long_lines_are_quarantined_with_their_place() {
    let mut input = b"one\n\x00\xFF\x01\n".to_vec();
    input.extend(vec![b'x'; 3 << 20]);
    input.extend(b"\nlast\n");
    let (report, kept) = cleaned(&input);
    assert_eq!(kept.rows.len(), 2);
    assert_eq!(report.quarantined, 2);
    assert_eq!(kept.quarantined.first(), Some(&(2, "not_text", 3)));
    let long: usize = kept
        .quarantined
        .iter()
        .filter(|(line, reason, _)| (*line, *reason) == (3, "line_too_long"))
        .map(|(_, _, bytes)| bytes)
        .sum();
    assert_eq!(long, 3 << 20);
}

#[test]
fn a_truncated_object_keeps_its_lines_and_says_so() {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&b"{\"msg\":\"x\"}\n".repeat(10_000)).expect("memory");
    let whole = encoder.finish().expect("memory");
    let mut kept = Kept::default();
    let error = clean(&whole[..whole.len() - 8], &source(), &mut kept).expect_err("the end is missing");
    let CleanError::Read { report, .. } = &error else { panic!("{error}") };
    assert!(report.closes() && report.rows + report.quarantined == 10_000, "{report:?}");
    assert!(error.to_string().contains("raw/app.log"), "{error}");
}

/// A line in the middle of which reading failed is no row.
#[test]
fn a_line_that_was_cut_is_quarantined() {
    struct Broken(bool);
    impl io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("gone"));
            }
            let bytes = b"one\ntwo\n{\"level\":\"in";
            buffer[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }
    }
    let mut kept = Kept::default();
    let error = clean(io::BufReader::new(Broken(false)), &source(), &mut kept).expect_err("it broke off");
    let CleanError::Read { report, .. } = &error else { panic!("{error}") };
    assert_eq!((report.lines, report.rows, report.quarantined), (3, 2, 1));
    assert_eq!(kept.quarantined, [(3, "cut_short", 12)]);
}

/// The row that a line becomes, as JSON.
fn row_of(line: &str) -> serde_json::Value {
    struct One(Option<serde_json::Value>);
    impl Sink for One {
        fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
            self.0 = batch.views(&source.name).next().map(|row| serde_json::to_value(row).expect("JSON"));
            Ok(())
        }
        fn quarantine(&mut self, _: Quarantined<'_>, _: &Source) -> io::Result<()> {
            Ok(())
        }
    }
    let mut one = One(None);
    clean(line.as_bytes(), &source(), &mut one).expect("it is read");
    one.0.expect("a row")
}

/// What `POST /v1/logs` makes of a record.
#[test]
fn a_record_of_otlp_is_read_into_its_columns() {
    let record = r#"{"time":"2026-01-31T12:00:00.123456789Z","observed_time":"2026-01-31T12:00:01Z","severity_number":14,"severity_text":"WARN2","body":{"a":1},"attributes":{"order":"o1","exception.type":"E","exception.message":"m","http.response.status_code":503},"trace_id":"000102030405060708090a0b0c0d0e0f","span_id":"0102030405060708","flags":1,"scope":{"name":"app.pay","version":"1"},"resource":{"service.name":"checkout","host.name":"h"}}"#;
    let row = row_of(record);
    let expected = serde_json::json!({
        "format": "otlp", "time": "2026-01-31T12:00:00.123456789Z", "time_source": "record", "observed_time": "2026-01-31T12:00:01Z",
        "severity_number": 14, "severity_text": "WARN2", "body": "{\"a\":1}", "service": "checkout", "status": 503,
        "trace_id": "000102030405060708090a0b0c0d0e0f", "span_id": "0102030405060708", "exception_type": "E", "exception_message": "m",
        "attributes": {"order": "o1", "flags": "1", "scope.name": "app.pay", "scope.version": "1", "resource.host.name": "h"},
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&row[name], value, "{name}");
    }
    // Without a time of its own, when it was observed.
    let row = row_of(r#"{"observed_time":"2026-01-31T12:00:01Z","body":"x","resource":{}}"#);
    assert_eq!((&row["time"], &row["time_source"]), (&"2026-01-31T12:00:01Z".into(), &"observed".into()));
}

#[test]
fn a_duration_of_the_elastic_common_schema_is_in_nanoseconds() {
    let row = row_of(
        r#"{"@timestamp":"2026-01-31T12:00:00Z","log.level":"INFO","message":"served","ecs.version":"1.2.0","event.duration":301718000}"#,
    );
    assert_eq!((&row["format"], &row["duration_ms"]), (&"ecs".into(), &301.718.into()));
    assert_eq!(row["attributes"]["event.duration"], "301718000");
    // Under this key others mean other units.
    let row = row_of(r#"{"time":"2026-01-31T12:00:00Z","level":"info","msg":"served","event.duration":301718000}"#);
    assert_eq!(row["duration_ms"], serde_json::Value::Null);
}

/// Of several values of one column, none is lost.
#[test]
fn a_value_whose_column_is_taken_stays_an_attribute() {
    let row = row_of(
        r#"{"observed_time":"2026-01-31T12:00:01Z","span_id":"0102030405060708","attributes":{"span_id":"0807060504030201","exception.type":"E","error.type":"timeout","exception.message":"m","error.message":"late","error":"boom","http.response.status_code":503,"status":"200"},"resource":{}}"#,
    );
    assert_eq!(
        (&row["exception_type"], &row["exception_message"], &row["status"]),
        (&"E".into(), &"m".into(), &503.into())
    );
    assert_eq!(row["span_id"], "0102030405060708");
    let rest = serde_json::json!({"span_id": "0807060504030201", "error.type": "timeout", "error.message": "late", "error": "boom", "status": "200"});
    assert_eq!(row["attributes"], rest);
}

/// Lines that were seen to be misread.
#[test]
fn lines_of_one_form_are_not_taken_for_another() {
    for (line, expected) in [
        (
            "2026/11/28 12:00:01 database error: connection refused",
            "timestamped | - | - | database error: connection refused",
        ),
        ("2026-11-28T12:00:01Z Caused by: x", "timestamped | - | - | Caused by: x"),
        ("2026-11-28T12:00:01Z ERROR payment failed status=500 msg2=x level=warn", "logfmt | 17 | - | payment failed"),
        ("GET /a?time=1 level=x b=2", "plain | - | - | GET /a?time=1 level=x b=2"),
        ("28-Nov-2026 15:06:25.751 INFO [main] org.apache.A.b started", "tomcat | 9 | - | started"),
        (
            "Nov 28 12:00:02 h dockerd[1]: time=\"x\" level=error msg=\"y\"",
            "syslog | - | dockerd | time=\"x\" level=error msg=\"y\"",
        ),
        ("9999-12-31T23:59:59Z INFO hello", "timestamped | 9 | - | hello"),
    ] {
        // Whatever the line before was.
        let (_, kept) = cleaned(format!("time=2026-11-28T12:00:01Z level=info msg=x\n{line}\n").as_bytes());
        assert_eq!(kept.rows.last().map(String::as_str), Some(expected), "{line}");
    }
}

/// Forms that products' documentation shows.
#[test]
fn lines_of_products_are_read_by_their_patterns() {
    for (line, expected) in [
        ("[12:00:03 WRN] Disk low", "serilog | 13 | - | Disk low"),
        ("[2026-11-28 12:00:00] production.ERROR: Undefined", "monolog | 17 | - | Undefined"),
        ("[28-Nov-2026 12:00:00] NOTICE: ready", "php-fpm | 10 | - | ready"),
        ("[2026-11-28 12:00:00,123: INFO/MainProcess] celery@h ready.", "celery | 9 | - | celery@h ready."),
        ("[2026-11-28T12:00:00,123][INFO ][o.e.n.Node               ] [n1] started", "elasticsearch | 9 | - | started"),
        ("[2026-11-28 12:00:00.123][1][critical][main] [source/server/server.cc:1] error", "envoy | 21 | - | error"),
        ("I, [2026-11-28T12:00:00.123456 #77]  INFO -- : Started GET", "ruby | 9 | - | Started GET"),
        ("2026-11-28T12:00:00.123456Z 0 [Warning] [MY-010055] [Server] IP address", "mysql | 13 | - | IP address"),
        ("2026-11-28 12:00:00 UTC | CORE | INFO | (pkg/x.go:1 in f) | Done", "datadog | 9 | - | Done"),
        ("2026-11-28 12:00:00.000+0000 [id=1]\tINFO\thudson.WebAppMain#init: up", "jenkins | 9 | - | up"),
        ("2026-11-28T12:00:00.123Z\tinfo\tproxy ready", "zap | 9 | - | proxy ready"),
        ("[28/Nov/2026 12:00:00] \"GET / HTTP/1.1\" 200 5", "django | - | - | GET / HTTP/1.1"),
        ("INFO  [main] 2026-11-28 12:00:00,123 Server.java:12 - Starting", "cassandra | 9 | - | Starting"),
    ] {
        let (_, kept) = cleaned(line.as_bytes());
        assert_eq!(kept.rows, [expected], "{line}");
    }
}

#[test]
fn a_line_with_a_time_of_its_own_is_not_joined() {
    let (report, kept) = cleaned(b"2026-11-28 12:00:01,000 INFO x.Y: one\n[pool-1] (2026-11-28 12:00:02) two\nthree\n");
    assert_eq!((report.rows, report.joined), (3, 0), "{:?}", kept.rows);
}

/// A program's clock may go backwards: rows are in the order of their time.
#[test]
fn rows_of_a_batch_are_sorted_by_time() {
    let mut batch = Batch::default();
    for (text, observed) in [("late", 3), ("early", 1), ("middle", 2)] {
        let mut draft = Draft::new(&mut batch, text, Defaults { observed, offset: 0 });
        draft.body(text);
        draft.finish("plain", 1, 1);
    }
    assert_eq!(batch.by_time(), [1, 2, 0]);
}

/// Pieces of lines that formats, wrappings and joins look for.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "\\PC{0,60}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "2026-01-31T12:00:00Z stdout P part",
            "2026-01-31T12:00:00Z stderr F ",
            "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00Z\"}",
            "\tat a.b(C.java:1)",
            "Traceback (most recent call last):",
            "  File \"x\", line 1",
            "ValueError: x",
            "{\"level\":30,\"time\":1,\"msg\":\"",
            "\"}",
            "level=info msg=\"open",
            "key=\"value\" msg=x",
            "<34>Oct 11 22:14:15 host su: text",
            "#011at x",
            "E1128 15:06:25.767203    4836 main.go:10] \"m\" err=<",
            " >",
            "panic: x",
            "goroutine 1 [running]:",
            "Nov 28, 2026 3:15:00 PM a.B c",
            "[ 01-31 12:00:00.123  1: 2 W/a ]",
            "\x1b[31m",
            "\r",
            "\0",
            "2026-11-29 00:14:13.362 JST [1] ERROR:  x",
            "2026-11-29 00:14:13.362 JST [1] DETAIL:  x",
            "127.0.0.1 - - [29/Nov/2026:00:13:52 +0900] \"GET / HTTP/1.1\" 200 5",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Each line is counted once, whatever the bytes are.
    #[test]
    fn the_accounting_closes_for_any_bytes(parts in prop::collection::vec((pieces(), any::<bool>()), 0..30)) {
        let input: Vec<u8> = parts.into_iter().flat_map(|(mut piece, ends)| {
            if ends { piece.push(b'\n'); }
            piece
        }).collect();
        let mut kept = Kept::default();
        match clean(input.as_slice(), &source(), &mut kept) {
            Ok(report) => {
                prop_assert!(report.closes(), "{:?}", report);
                prop_assert_eq!(report.rows, kept.rows.len() as u64);
                let mut ids = kept.ids.clone();
                ids.sort();
                ids.dedup();
                prop_assert_eq!(ids.len(), kept.ids.len(), "an id is one row's");
            }
            Err(CleanError::Read { report, .. }) => prop_assert!(report.closes(), "{:?}", report),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
