//! Sends log records with OpenTelemetry's SDK, and writes what must arrive. Usage: app URL OUT

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{InstrumentationScope, SpanId, TraceFlags, TraceId};
use opentelemetry_otlp::{Compression, LogExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use serde_json::{Map, Value, json};
use tracing_subscriber::filter::LevelFilter;

const TRACE: &str = "000102030405060708090a0b0c0d0e0f";
const SPAN: &str = "0001020304050607";

/// 2026-01-31T12:00:00.123456789Z.
const TIME: u64 = 1_769_860_800_123_456_789;

const SEVERITIES: [Severity; 24] = {
    use Severity::*;
    [
        Trace, Trace2, Trace3, Trace4, Debug, Debug2, Debug3, Debug4, Info, Info2, Info3, Info4, Warn, Warn2, Warn3,
        Warn4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4,
    ]
};

/// What the SDK warned of.
static WARNINGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Warnings;

impl io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WARNINGS.lock().expect("a lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value, and the JSON text that must arrive.
type Pair = (AnyValue, &'static str);

fn list(values: impl IntoIterator<Item = AnyValue>) -> AnyValue {
    AnyValue::ListAny(Box::new(values.into_iter().collect()))
}

/// A map of one value: those of several have no order here.
fn map(key: &'static str, value: AnyValue) -> AnyValue {
    AnyValue::Map(Box::new(HashMap::from([(key.into(), value)])))
}

fn bytes(bytes: &[u8]) -> AnyValue {
    AnyValue::Bytes(Box::new(bytes.to_vec()))
}

fn texts() -> Vec<(&'static str, Pair)> {
    vec![
        ("order", ("o1".into(), r#""o1""#)),
        ("empty", ("".into(), r#""""#)),
        (r#"a "key" ä"#, ("x\n\\ 😀".into(), r#""x\n\\ 😀""#)),
    ]
}

fn numbers() -> Vec<(&'static str, Pair)> {
    vec![
        ("seven", (7.into(), "7")),
        ("and one", (((1_i64 << 53) + 1).into(), "9007199254740993")),
        ("greatest", (i64::MAX.into(), "9223372036854775807")),
        ("least", (i64::MIN.into(), "-9223372036854775808")),
        ("one", (1.0.into(), "1.0")),
        ("minus zero", ((-0.0).into(), "-0.0")),
        ("tenth", (0.1.into(), "0.1")),
        ("large", (1e21.into(), "1e21")),
        ("largest", (f64::MAX.into(), "1.7976931348623157e308")),
        ("smallest", (5e-324.into(), "5e-324")),
        ("nan", (f64::NAN.into(), r#""NaN""#)),
        ("infinity", (f64::INFINITY.into(), r#""Infinity""#)),
        ("minus infinity", (f64::NEG_INFINITY.into(), r#""-Infinity""#)),
    ]
}

/// The SDK has no null.
fn others() -> Vec<(&'static str, Pair)> {
    let mixed = list([i64::MAX.into(), 1.0.into(), "a".into(), false.into(), bytes(&[251, 255]), list([1.into()])]);
    let deep = map("a", map("b", list([map("c", f64::NAN.into()), AnyValue::Map(Box::default())])));
    vec![
        ("true", (true.into(), "true")),
        ("false", (false.into(), "false")),
        ("bytes", (bytes(&[0, 1, 255]), r#""AAH/""#)),
        ("no bytes", (bytes(&[]), r#""""#)),
        ("mixed", (mixed, r#"[9223372036854775807,1.0,"a",false,"+/8=",[1]]"#)),
        ("nothing", (list([]), "[]")),
        ("map", (deep, r#"{"a":{"b":[{"c":"NaN"},{}]}}"#)),
    ]
}

fn bodies() -> Vec<Pair> {
    vec![
        (map("a", i64::MAX.into()), r#"{"a":9223372036854775807}"#),
        (list(["a".into(), 1.into()]), r#"["a",1]"#),
        (bytes(&[0, 1, 255]), r#""AAH/""#),
        (7.into(), "7"),
        (1e21.into(), "1e21"),
        (true.into(), "true"),
        ("".into(), r#""""#),
    ]
}

fn at(nanoseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

type Record = <SdkLogger as Logger>::LogRecord;

/// Sends as one service, and keeps what must arrive.
struct Sender {
    name: &'static str,
    resource: Resource,
    provider: SdkLoggerProvider,
    logger: SdkLogger,
    records: Vec<Value>,
}

impl Sender {
    fn new(name: &'static str, exporter: LogExporter, resource: Resource) -> Self {
        let provider =
            SdkLoggerProvider::builder().with_resource(resource.clone()).with_batch_exporter(exporter).build();
        let scope = InstrumentationScope::builder(name).with_version("1.2.3").build();
        let logger = provider.logger_with_scope(scope);
        Self { name, resource, provider, logger, records: Vec::new() }
    }

    /// Emits a record, of which `more` sets what is not the same in all, and returns what must arrive of that.
    fn send(
        &mut self,
        body: Option<(AnyValue, &str)>,
        attributes: Vec<(&'static str, (AnyValue, &str))>,
        more: impl FnOnce(&mut Record) -> Value,
    ) {
        let mut record = self.logger.create_log_record();
        let mut expected = Map::from_iter([("observed_ns".to_owned(), json!((TIME + 1).to_string()))]);
        record.set_observed_timestamp(at(TIME + 1));
        if let Some((body, json)) = body {
            record.set_body(body);
            expected.insert("body".to_owned(), json!(json));
        }
        let texts: Map<_, _> = attributes.iter().map(|(key, (_, json))| ((*key).to_owned(), json!(json))).collect();
        expected.insert("attributes".to_owned(), texts.into());
        record.add_attributes(attributes.into_iter().map(|(key, (value, _))| (key, value)));
        let Value::Object(more) = more(&mut record) else { unreachable!("an object") };
        expected.extend(more);
        self.logger.emit(record);
        self.records.push(expected.into());
    }

    /// Shuts the SDK down as programs do, which sends what is queued.
    fn end(self, out: &Path) {
        self.provider.shutdown().expect(self.name);
        let service = self.resource.get(&"service.name".into()).expect("a name").to_string();
        let expected = json!({"service": service, "version": "1.2.3", "language": "\"rust\"", "records": self.records});
        fs::write(out.join(format!("{}.expected.json", self.name)), expected.to_string()).expect("a file");
    }
}

fn timed(record: &mut Record) -> Value {
    record.set_timestamp(at(TIME));
    json!({"time_ns": TIME.to_string()})
}

fn everything(name: &'static str, exporter: LogExporter, out: &Path) {
    let resource = Resource::builder().with_service_name(format!("{name} ü")).build();
    let mut sender = Sender::new(name, exporter, resource);
    sender.send(Some((r#"paid "7" €"#.into(), r#""paid \"7\" €""#)), texts(), |record| {
        record.set_timestamp(at(TIME));
        record.set_severity_number(Severity::Warn);
        record.set_severity_text("WARN");
        record.set_event_name("order.paid");
        let (trace, span) = (TraceId::from_hex(TRACE).expect("an id"), SpanId::from_hex(SPAN).expect("an id"));
        record.set_trace_context(trace, span, Some(TraceFlags::SAMPLED));
        json!({
            "time_ns": TIME.to_string(), "severity_number": 13, "severity_text": "WARN", "event_name": "order.paid",
            "trace_id": TRACE, "span_id": SPAN,
        })
    });
    sender.send(Some(("numbers".into(), r#""numbers""#)), numbers(), timed);
    sender.send(Some(("others".into(), r#""others""#)), others(), timed);
    sender.send(Some(("no time".into(), r#""no time""#)), Vec::new(), |_| json!({}));
    sender.send(None, Vec::new(), timed);
    for body in bodies() {
        sender.send(Some(body), Vec::new(), timed);
    }
    // Larger than a record may be: refused, of which the SDK warns.
    let mut large = sender.logger.create_log_record();
    large.set_body("x".repeat(300_000).into());
    sender.logger.emit(large);
    for (number, severity) in (0_u64..1_000).zip(SEVERITIES.into_iter().cycle()) {
        let text = format!("record {number}");
        let body = (text.clone().into(), &*format!("\"{text}\""));
        let n = number.to_string();
        sender.send(Some(body), vec![("n", ((number as i64).into(), &*n))], |record| {
            record.set_timestamp(at(TIME + number));
            record.set_severity_number(severity);
            record.set_severity_text(severity.name());
            json!({
                "time_ns": (TIME + number).to_string(), "severity_number": severity as u8, "severity_text": severity.name(),
            })
        });
    }
    sender.end(out);
    let warned = String::from_utf8(std::mem::take(&mut *WARNINGS.lock().expect("a lock"))).expect("a text");
    assert!(warned.lines().count() == 1 && warned.contains("rejected_log_records=1"), "{name}: {warned}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (url, out) = (arguments[1].as_str(), Path::new(&arguments[2]));
    tracing_subscriber::fmt().with_ansi(false).with_max_level(LevelFilter::WARN).with_writer(|| Warnings).init();

    let exporter = || LogExporter::builder().with_http().with_endpoint(url);
    everything("rust-protobuf", exporter().build().expect("an exporter"), out);
    let gzip = exporter().with_compression(Compression::Gzip).build().expect("an exporter");
    everything("rust-protobuf-gzip", gzip, out);
    let mut unnamed =
        Sender::new("rust-unnamed", exporter().build().expect("an exporter"), Resource::builder().build());
    unnamed.send(Some(("unnamed".into(), r#""unnamed""#)), Vec::new(), timed);
    unnamed.end(out);
}
