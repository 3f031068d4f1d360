//! Prints with real Rust loggers and writes beside it the rows a correct reader makes of that.

mod record;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use log::Log;
use record::{Buf, File, Stamp, between, nanos, rfc3339, row, with};
use serde_json::{Value, json};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;

const MULTI: &str = "café \"x\" C:\\new\nsecond line";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const BIG: &str = "18446744073709551615";
const HUGE: &str = "340282366920938463463374607431768211455";
const TOOK: Duration = Duration::from_micros(1_500_250);

/// An error with a message of its own and a cause.
#[derive(Debug)]
struct Failure(&'static str, Option<Box<Failure>>);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|e| e as _)
    }
}

fn failure() -> Failure {
    Failure("outer", Some(Box::new(Failure("inner", None))))
}

fn close_ms(busy: &str, idle: &str) -> Value {
    json!((nanos(busy) + nanos(idle)) as f64 / 1e6)
}

// ---- tracing

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Json,
    Flat,
    Text,
    Logfmt,
    Bunyan,
}

/// The calls that every tracing layer gets.
fn tracing_rows(f: &mut File, form: Form) {
    use tracing::{debug, error, info, trace, warn};
    let text = form == Form::Text;
    // Where the message ends and the fields begin is not decided in plain text.
    let b = |s: &'static str| if text { "-" } else { s };
    let a = |v: Value| if text { Value::Null } else { v };
    let level = |s: &'static str| match (form, s) {
        (Form::Bunyan, "TRACE") => "10".to_string(),
        (Form::Bunyan, "DEBUG") => "20".to_string(),
        (Form::Bunyan, "INFO") => "30".to_string(),
        (Form::Bunyan, "WARN") => "40".to_string(),
        (Form::Bunyan, "ERROR") => "50".to_string(),
        (Form::Logfmt, s) => s.to_lowercase(),
        (_, s) => s.to_string(),
    };
    let r = |l: &'static str, n: u8, body: &'static str, at: Value| row(&level(l), n, body, at);
    let err = |row: Value| if text { row } else { with(row, json!({"exception_message": "outer"})) };
    let took = if text { json!({}) } else { json!({"duration_ms": 1500.25}) };

    f.rec(r("WARN", 13, b("paid 7"), a(json!({"order": "o1", "n": "7"}))), || warn!(target: "app::pay", order = "o1", n = 7, "paid {}", 7));
    f.rec(r("INFO", 9, MULTI, Value::Null), || info!(target: "app::pay", "{MULTI}"));
    let e = failure();
    f.rec(err(r("ERROR", 17, b("failed to pay"), Value::Null)), || error!(target: "app::pay", err = &e as &dyn Error, "failed to pay"));
    f.rec(err(r("ERROR", 17, b("failed to pay"), Value::Null)), || error!(target: "app::pay", error = %e, "failed to pay"));
    f.rec(with(r("INFO", 9, b("took"), Value::Null), took.clone()), || info!(target: "app::pay", took = ?TOOK, "took"));
    f.rec(with(r("INFO", 9, b("micro"), Value::Null), if text { json!({}) } else { json!({"duration_ms": 0.0015}) }), || info!(target: "app::pay", took = ?Duration::from_nanos(1500), "micro"));
    f.rec(r("DEBUG", 5, "level DEBUG", Value::Null), || debug!(target: "app::pay", "level DEBUG"));
    f.rec(r("TRACE", 1, "level TRACE", Value::Null), || trace!(target: "app::pay", "level TRACE"));
    let mut odd = json!({"big": BIG, "huge": HUGE, "yes": "true"});
    odd["nan"] = if form == Form::Logfmt { json!("NaN") } else { Value::Null };
    f.rec(r("INFO", 9, b("odd values"), a(odd)), || info!(target: "app::pay", none = None::<i64>, big = u64::MAX, huge = u128::MAX, nan = f64::NAN, yes = true, "odd values"));
    f.rec(r("INFO", 9, b("path"), a(json!({"path": "C:\\new\\temp", "empty": ""}))), || info!(target: "app::pay", path = "C:\\new\\temp", empty = "", "path"));
    let mut get = r("INFO", 9, b("GET /x"), Value::Null);
    if !text {
        get = with(get, json!({"status": 503, "trace_id": TRACE, "span_id": SPAN, "duration_ms": 12.5}));
    }
    f.rec(get, || info!(target: "app::pay", status = 503, trace_id = TRACE, span_id = SPAN, durationMs = 12.5, "GET /x"));
    f.rec(r("INFO", 9, "-", a(json!({"order": "o1"}))), || info!(target: "app::pay", order = "o1"));
    if form == Form::Flat || form == Form::Json || form == Form::Bunyan {
        f.rec(r("WARN", 13, "own names", Value::Null), || warn!(target: "app::pay", level = "mine", time = "mine", timestamp = "mine", target = "mine", "own names"));
    }
    if form != Form::Bunyan {
        let order = if form == Form::Logfmt { json!({"order": "event", "order.2": "span"}) } else { json!({"order": "event"}) };
        f.rec(r("INFO", 9, b("in span"), a(order)), || {
            tracing::info_span!(target: "app::pay", "req", order = "span", id = 7).in_scope(|| info!(target: "app::pay", order = "event", "in span"));
        });
    }
}

fn tracings(files: &mut Vec<File>) {
    use tracing::subscriber::with_default;
    let stamp: Stamp = |t| (rfc3339(between(t, "\"timestamp\":\"", &['"'])), "record");
    let max = tracing::Level::TRACE;

    let mut f = File::new("tracing-json", Some(stamp));
    let w = f.buf.clone();
    with_default(tracing_subscriber::fmt().json().with_max_level(max).with_writer(move || w.clone()).finish(), || tracing_rows(&mut f, Form::Json));
    files.push(f);

    let mut f = File::new("tracing-json-flat", Some(stamp));
    let w = f.buf.clone();
    with_default(tracing_subscriber::fmt().json().flatten_event(true).with_max_level(max).with_writer(move || w.clone()).finish(), || {
        tracing_rows(&mut f, Form::Flat)
    });
    files.push(f);

    let plain: Stamp = |t| (rfc3339(t.split(' ').next().unwrap()), "record");
    let mut f = File::new("tracing-text", Some(plain));
    let w = f.buf.clone();
    with_default(tracing_subscriber::fmt().with_ansi(false).with_max_level(max).with_writer(move || w.clone()).finish(), || tracing_rows(&mut f, Form::Text));
    files.push(f);

    let mut f = File::new("tracing-text-colour", Some(|t| (rfc3339(between(t, "\u{1b}[2m", &['\u{1b}'])), "record")));
    let w = f.buf.clone();
    with_default(tracing_subscriber::fmt().with_ansi(true).with_max_level(max).with_writer(move || w.clone()).finish(), || tracing_rows(&mut f, Form::Text));
    files.push(f);

    let req = || {
        tracing::info_span!(target: "app::pay", "req", order = "o1", n = 7).in_scope(|| std::thread::sleep(Duration::from_millis(2)));
    };
    let mut f = File::new("tracing-json-close", Some(stamp));
    let w = f.buf.clone();
    let fill = |t: &str, r: &mut Value| r["duration_ms"] = close_ms(between(t, "\"time.busy\":\"", &['"']), between(t, "\"time.idle\":\"", &['"']));
    with_default(tracing_subscriber::fmt().json().with_span_events(FmtSpan::CLOSE).with_max_level(max).with_writer(move || w.clone()).finish(), || {
        f.rec_with(row("INFO", 9, "close", Value::Null), req, fill);
        f.rec_with(row("INFO", 9, "close", Value::Null), || drop(tracing::info_span!(target: "app::pay", "empty")), fill);
    });
    files.push(f);

    let mut f = File::new("tracing-json-flat-close", Some(stamp));
    let w = f.buf.clone();
    with_default(
        tracing_subscriber::fmt().json().flatten_event(true).with_span_events(FmtSpan::CLOSE).with_max_level(max).with_writer(move || w.clone()).finish(),
        || f.rec_with(row("INFO", 9, "close", Value::Null), req, fill),
    );
    files.push(f);

    let mut f = File::new("tracing-text-close", Some(plain));
    let w = f.buf.clone();
    with_default(tracing_subscriber::fmt().with_ansi(false).with_span_events(FmtSpan::CLOSE).with_max_level(max).with_writer(move || w.clone()).finish(), || {
        f.rec_with(row("INFO", 9, "-", Value::Null), req, |t, r| {
            r["duration_ms"] = close_ms(between(t, "time.busy=", &[' ']), between(t, "time.idle=", &[' ', '\n']))
        });
    });
    files.push(f);

    let mut f = File::new("json-subscriber", Some(|t| (rfc3339(between(&t[t.rfind("\"timestamp\":\"").unwrap()..], "\"timestamp\":\"", &['"'])), "record")));
    let w = f.buf.clone();
    with_default(json_subscriber::fmt().with_max_level(max).with_writer(move || w.clone()).finish(), || tracing_rows(&mut f, Form::Json));
    files.push(f);

    let mut f = File::new("tracing-logfmt", Some(|t| (rfc3339(between(t, "ts=", &[' '])), "record")));
    let w = f.buf.clone();
    let layer = tracing_subscriber::fmt::layer()
        .event_format(tracing_logfmt::EventsFormatter::default())
        .fmt_fields(tracing_logfmt::FieldsFormatter::default())
        .with_ansi(false)
        .with_writer(move || w.clone());
    with_default(tracing_subscriber::registry().with(layer), || tracing_rows(&mut f, Form::Logfmt));
    files.push(f);

    let mut f = File::new("tracing-bunyan-formatter", Some(|t| (rfc3339(between(t, "\"time\":\"", &['"'])), "record")));
    let w = f.buf.clone();
    let layer = tracing_bunyan_formatter::BunyanFormattingLayer::new("app".into(), move || w.clone());
    with_default(tracing_subscriber::registry().with(tracing_bunyan_formatter::JsonStorageLayer).with(layer), || {
        tracing_rows(&mut f, Form::Bunyan);
        let start = row("30", 9, "-", json!({"order": "span"}));
        f.recs(
            vec![start.clone(), row("30", 9, "-", json!({"order": "event"})), row("40", 13, "-", json!({"order": "span"})), start],
            || {
                tracing::info_span!(target: "app::pay", "req", order = "span", id = 7).in_scope(|| {
                    tracing::info!(target: "app::pay", order = "event", "in span");
                    tracing::warn!(target: "app::pay", "no fields");
                    std::thread::sleep(Duration::from_millis(2));
                })
            },
            |t, r| {
                if t.contains("\"elapsed_milliseconds\":") {
                    r["duration_ms"] = json!(between(t, "\"elapsed_milliseconds\":", &[',', '}']).parse::<i64>().unwrap());
                }
            },
        );
    });
    files.push(f);
}

// ---- log

/// A logger made of a format function.
struct ByFormat<F>(Buf, F);

impl<F: Fn(&mut Buf, &log::Record) + Send + Sync> Log for ByFormat<F> {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }
    fn log(&self, r: &log::Record) {
        (self.1)(&mut self.0.clone(), r)
    }
    fn flush(&self) {}
}

/// How much of the pairs a logger prints.
#[derive(Clone, Copy, PartialEq)]
enum Pairs {
    Json,
    Text,
    None,
}

/// `multi` and `plain`: the bodies of a message of two lines and of one line without pairs ("-": not decided).
/// `nested`: how the nested pair shows.
fn log_rows(f: &mut File, l: &dyn Log, pairs: Pairs, multi: &str, plain: bool, nested: &str) {
    let js = pairs == Pairs::Json;
    let b = |s: &'static str| if pairs == Pairs::Text { "-" } else { s };
    let p = |s: &'static str| if plain { s } else { "-" };
    let a = |v: Value| if js { v } else { Value::Null };
    let err = |r: Value| if js { with(r, json!({"exception_message": "outer"})) } else { r };
    let e: &'static Failure = Box::leak(Box::new(failure()));
    let l = &l;
    f.rec(row("WARN", 13, b("paid 7"), a(json!({"order": "o1", "n": "7"}))), || log::warn!(logger: l, target: "app::pay", order = "o1", n = 7; "paid {}", 7));
    f.rec(row("INFO", 9, multi, Value::Null), || log::info!(logger: l, target: "app::pay", "{MULTI}"));
    f.rec(err(row("ERROR", 17, b("failed to pay"), Value::Null)), || log::error!(logger: l, target: "app::pay", err:err = e as &(dyn Error + 'static); "failed to pay"));
    f.rec(err(row("ERROR", 17, b("failed to pay"), Value::Null)), || log::error!(logger: l, target: "app::pay", error:% = e; "failed to pay"));
    f.rec(with(row("INFO", 9, b("took"), Value::Null), if js { json!({"duration_ms": 1500.25}) } else { json!({}) }), || {
        log::info!(logger: l, target: "app::pay", took:? = TOOK; "took")
    });
    f.rec(row("DEBUG", 5, p("level DEBUG"), Value::Null), || log::debug!(logger: l, target: "app::pay", "level DEBUG"));
    f.rec(row("TRACE", 1, p("level TRACE"), Value::Null), || log::trace!(logger: l, target: "app::pay", "level TRACE"));
    f.rec(row("INFO", 9, b("odd values"), a(json!({"none": null, "big": BIG, "nan": null, "yes": "true", "path": "C:\\new\\temp"}))), || {
        log::info!(logger: l, target: "app::pay", none:serde = None::<i64>, big = u64::MAX, nan = f64::NAN, yes = true, path = "C:\\new\\temp"; "odd values")
    });
    f.rec(row("INFO", 9, b("huge"), a(json!({"huge": HUGE}))), || log::info!(logger: l, target: "app::pay", huge = u128::MAX; "huge"));
    f.rec(row("INFO", 9, b("nested"), a(json!({"g": nested}))), || {
        log::info!(logger: l, target: "app::pay", g:serde = std::collections::BTreeMap::from([("a", 1)]); "nested")
    });
    let mut get = row("INFO", 9, b("GET /x"), Value::Null);
    if js {
        get = with(get, json!({"status": 503, "trace_id": TRACE, "span_id": SPAN, "duration_ms": 12.5}));
    }
    f.rec(get, || log::info!(logger: l, target: "app::pay", status = 503, trace_id = TRACE, span_id = SPAN, durationMs = 12.5; "GET /x"));
    if pairs != Pairs::None {
        f.rec(row("WARN", 13, b("own names"), Value::Null), || log::warn!(logger: l, target: "app::pay", level = "mine", message = "mine"; "own names"));
    }
}

fn logs(files: &mut Vec<File>) {
    let iso: Stamp = |t| (rfc3339(between(t, "\"timestamp\":\"", &['"'])), "record");

    let mut f = File::new("structured-logger", Some(|t| (between(t, "\"timestamp\":", &[',', '}']).parse::<i64>().unwrap() * 1_000_000, "record")));
    let l = structured_logger::Builder::with_level("trace").with_default_writer(structured_logger::json::new_writer(f.buf.clone())).build();
    log_rows(&mut f, &l, Pairs::Json, MULTI, true, "{\"a\":1}");
    files.push(f);

    let mut f = File::new("ecs-logger", Some(|t| (rfc3339(between(t, "\"@timestamp\":\"", &['"'])), "record")));
    let l = ByFormat(f.buf.clone(), |w: &mut Buf, r: &log::Record| ecs_logger::format(w, r).unwrap());
    log_rows(&mut f, &l, Pairs::None, MULTI, true, "{\"a\":1}");
    files.push(f);

    let newline = |w: &mut Buf| std::io::Write::write_all(w, b"\n").unwrap();
    let mut f = File::new(
        "flexi-json",
        Some(|t| {
            let s = between(t, "\"timestamp\":\"", &['"']);
            let at = chrono::DateTime::parse_from_str(s, "%Y-%m-%d %H:%M:%S%.f %:z").unwrap();
            (at.timestamp_nanos_opt().unwrap(), "record")
        }),
    );
    let l = ByFormat(f.buf.clone(), move |w: &mut Buf, r: &log::Record| {
        flexi_logger::json_format(w, &mut flexi_logger::DeferredNow::new(), r).unwrap();
        newline(w);
    });
    log_rows(&mut f, &l, Pairs::Json, MULTI, true, "{\"a\":1}");
    files.push(f);

    let mut f = File::new("flexi-text", None);
    let l = ByFormat(f.buf.clone(), move |w: &mut Buf, r: &log::Record| {
        flexi_logger::default_format(w, &mut flexi_logger::DeferredNow::new(), r).unwrap();
        newline(w);
    });
    log_rows(&mut f, &l, Pairs::Text, MULTI, true, "{\"a\":1}");
    files.push(f);

    let mut f = File::new("logforth-json", Some(iso));
    let l = logforth(&f, logforth::layout::JsonLayout::default());
    log_rows(&mut f, &l, Pairs::Json, MULTI, true, "{\"a\": 1}");
    files.push(f);

    let mut f = File::new("logforth-text", Some(|t| (rfc3339(t.split(' ').next().unwrap()), "record")));
    let l = logforth(&f, logforth::layout::TextLayout::default().no_color());
    log_rows(&mut f, &l, Pairs::Text, "-", false, "{\"a\":1}");
    files.push(f);

    let bracket: Stamp = |t| (rfc3339(between(t, "[", &[' '])), "record");
    let mut f = File::new("env-logger-kv", Some(bracket));
    let l = env(&f);
    // A line break in a message is followed by four blanks: the body is not decided.
    log_rows(&mut f, &l, Pairs::Text, "-", true, "{\"a\":1}");
    files.push(f);

    let mut f = File::new("env-logger", Some(bracket));
    let l = env(&f);
    f.rec(row("WARN", 13, "paid 7", Value::Null), || log::warn!(logger: l, target: "app::pay", "paid 7"));
    f.rec(row("INFO", 9, "-", Value::Null), || log::info!(logger: l, target: "app::pay", "{MULTI}"));
    f.rec(row("ERROR", 17, "failed to pay: outer", Value::Null), || log::error!(logger: l, target: "app::pay", "failed to pay: {}", failure()));
    f.rec(row("DEBUG", 5, "level DEBUG", Value::Null), || log::debug!(logger: l, target: "app::pay", "level DEBUG"));
    f.rec(row("TRACE", 1, "level TRACE", Value::Null), || log::trace!(logger: l, target: "app::pay", "level TRACE"));
    files.push(f);
}

fn env(f: &File) -> env_logger::Logger {
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Trace)
        .write_style(env_logger::WriteStyle::Never)
        .target(env_logger::Target::Pipe(Box::new(f.buf.clone())))
        .build()
}

/// Does as logforth's Stdout appender does, to a stream of ours.
#[derive(Debug)]
struct ToBuf(Buf, Box<dyn logforth::Layout>);

impl logforth::Append for ToBuf {
    fn append(&self, r: &logforth::record::Record, d: &[Box<dyn logforth::Diagnostic>]) -> Result<(), logforth::Error> {
        let mut bytes = self.1.format(r, d)?;
        bytes.push(b'\n');
        std::io::Write::write_all(&mut self.0.clone(), &bytes).unwrap();
        Ok(())
    }
    fn flush(&self) -> Result<(), logforth::Error> {
        Ok(())
    }
}

fn logforth(f: &File, layout: impl Into<Box<dyn logforth::Layout>>) -> logforth::bridge::log::LogBridge {
    let to = ToBuf(f.buf.clone(), layout.into());
    logforth::bridge::log::LogBridge::new(logforth::core::builder().dispatch(|d| d.append(to)).build())
}

// ---- slog

fn slogs(files: &mut Vec<File>) {
    use slog::{Drain, crit, debug, error, info, o, trace, warn};
    let mut f = File::new("slog-json", Some(|t| (rfc3339(between(t, "\"ts\":\"", &['"'])), "record")));
    let l = slog::Logger::root(std::sync::Mutex::new(slog_json::Json::default(f.buf.clone())).fuse(), o!());
    let e = failure();
    f.rec(row("WARN", 13, "paid 7", json!({"order": "o1", "n": "7"})), || warn!(l, "paid {}", 7; "order" => "o1", "n" => 7));
    f.rec(row("INFO", 9, MULTI, Value::Null), || info!(l, "{}", MULTI));
    f.rec(row("ERRO", 17, "failed to pay", Value::Null), || error!(l, "failed to pay"; "err" => slog::ErrorValue(failure())));
    f.rec(with(row("ERRO", 17, "failed to pay", Value::Null), json!({"exception_message": "outer"})), || error!(l, "failed to pay"; "error" => %e));
    f.rec(with(row("INFO", 9, "took", Value::Null), json!({"duration_ms": 1500.25})), || info!(l, "took"; "took" => ?TOOK));
    f.rec(row("CRIT", 0, "level CRIT", Value::Null), || crit!(l, "level CRIT"));
    f.rec(row("DEBG", 5, "level DEBG", Value::Null), || debug!(l, "level DEBG"));
    f.rec(row("TRCE", 1, "level TRCE", Value::Null), || trace!(l, "level TRCE"));
    f.rec(row("INFO", 9, "odd values", json!({"none": null, "big": BIG, "nan": null, "yes": "true"})), || {
        info!(l, "odd values"; "none" => None::<i64>, "big" => u64::MAX, "nan" => f64::NAN, "yes" => true)
    });
    f.rec(with(row("INFO", 9, "GET /x", Value::Null), json!({"status": 503, "trace_id": TRACE, "span_id": SPAN, "duration_ms": 12.5})), || {
        info!(l, "GET /x"; "status" => 503, "trace_id" => TRACE, "span_id" => SPAN, "durationMs" => 12.5)
    });
    f.rec(row("INFO", 9, "child", json!({"order": "event"})), || info!(l.new(o!("order" => "child")), "child"; "order" => "event"));
    f.rec(Value::Object(Default::default()), || warn!(l, "own names"; "level" => "mine", "msg" => "mine"));
    files.push(f);
}

fn main() {
    let out = std::env::args().nth(1).expect("an output folder");
    log::set_max_level(log::LevelFilter::Trace);
    std::fs::create_dir_all(&out).unwrap();
    let mut files = Vec::new();
    tracings(&mut files);
    logs(&mut files);
    slogs(&mut files);
    for f in &files {
        f.save(Path::new(&out));
    }
}
