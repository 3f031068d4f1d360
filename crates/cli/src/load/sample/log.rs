//! Lines of several services' logs, each in the format of its logger, and with an outage now and then.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use serde::Serialize;

use super::{Draw, population};

const ROUTES: [(&str, &str); 6] = [
    ("GET", "/api/products"),
    ("GET", "/api/products/{id}"),
    ("POST", "/api/cart"),
    ("GET", "/api/orders"),
    ("POST", "/api/checkout"),
    ("PUT", "/api/profile"),
];

/// The format of a service's logger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// JSON of pino (Node).
    Pino,
    /// JSON of Elastic's loggers (Java): the Elastic Common Schema.
    Ecs,
    /// logfmt (Go).
    Logfmt,
    /// An access log (nginx).
    Access,
}

/// How a service is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Usual,
    /// Most requests fail, after seconds.
    Failing,
    /// Requests take long.
    Slow,
}

/// What a request came to.
struct Outcome {
    level: &'static str,
    message: &'static str,
    status: u16,
    milliseconds: f64,
}

/// Line of a service, as its logger would write it.
pub(super) fn line(draw: &mut Draw<'_>, service: &str) -> String {
    let time = draw.time();
    let (method, path) = ROUTES[draw.random.random_range(0..ROUTES.len())];
    let outcome = Outcome::draw(draw, condition(service, time.duration_since(draw.start)));
    let request = format!("{:016x}", draw.random.random::<u64>());
    let client = population::address(&mut draw.random);
    let written = Written { time, service, method, path, request: &request, client: &client };
    match format(service) {
        Format::Pino => json(&Pino::of(&written, &outcome)),
        Format::Ecs => json(&Ecs::of(&written, &outcome)),
        Format::Logfmt => {
            let Outcome { level, message, status, milliseconds } = outcome;
            format!(
                "time={time} level={level} msg={message:?} method={method} path={path} status={status} \
                 duration={milliseconds:.3}ms request_id={request} client_ip={client}"
            )
        }
        Format::Access => {
            let mut line = format!("{client} - - [{}] ", time.strftime("%d/%b/%Y:%H:%M:%S +0000"));
            let bytes = draw.random.random_range(200..9_000_u32);
            let _ = write!(line, "\"{method} {path} HTTP/1.1\" {} {bytes} \"-\" \"shop-app/4.2\"", outcome.status);
            line
        }
    }
}

/// What a line says of its request.
struct Written<'l> {
    time: Timestamp,
    service: &'l str,
    method: &'l str,
    path: &'l str,
    request: &'l str,
    client: &'l str,
}

/// A line of pino with pino-http, its keys in their order: formats are told by it.
#[derive(Serialize)]
struct Pino<'l> {
    level: u8,
    /// Unix milliseconds.
    time: i64,
    pid: u32,
    hostname: &'l str,
    req: PinoRequest<'l>,
    res: PinoResponse,
    #[serde(rename = "responseTime")]
    response_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    err: Option<PinoError<'l>>,
    msg: &'l str,
}

#[derive(Serialize)]
struct PinoRequest<'l> {
    id: &'l str,
    method: &'l str,
    url: &'l str,
    #[serde(rename = "remoteAddress")]
    remote_address: &'l str,
}

#[derive(Serialize)]
struct PinoResponse {
    #[serde(rename = "statusCode")]
    status_code: u16,
}

#[derive(Serialize)]
struct PinoError<'l> {
    r#type: &'l str,
    message: &'l str,
    stack: String,
}

impl<'l> Pino<'l> {
    fn of(written: &Written<'l>, outcome: &Outcome) -> Self {
        let Outcome { level, message, status, milliseconds } = *outcome;
        let err = (status >= 500).then(|| PinoError {
            r#type: "UpstreamError",
            message,
            stack: format!(
                "UpstreamError: {message}\n    at call (/app/src/upstream.js:41:11)\n    at async handle (/app/src/routes.js:17:5)"
            ),
        });
        let &Written { time, service, method, path, request, client } = written;
        Self {
            level: match level {
                "INFO" => 30,
                "WARN" => 40,
                _ => 50,
            },
            time: time.as_millisecond(),
            pid: 17,
            hostname: service,
            req: PinoRequest { id: request, method, url: path, remote_address: client },
            res: PinoResponse { status_code: status },
            response_time: milliseconds,
            err,
            msg: message,
        }
    }
}

/// A line of Elastic's logger for Java.
#[derive(Serialize)]
struct Ecs<'l> {
    #[serde(rename = "@timestamp")]
    time: Timestamp,
    #[serde(rename = "log.level")]
    level: &'l str,
    message: &'l str,
    #[serde(rename = "ecs.version")]
    version: &'l str,
    #[serde(rename = "service.name")]
    service: &'l str,
    #[serde(rename = "process.thread.name")]
    thread: &'l str,
    #[serde(rename = "http.request.method")]
    method: &'l str,
    #[serde(rename = "url.path")]
    path: &'l str,
    #[serde(rename = "http.response.status_code")]
    status: u16,
    /// Nanoseconds.
    #[serde(rename = "event.duration")]
    duration: i64,
    #[serde(rename = "http.request.id")]
    request: &'l str,
    #[serde(rename = "client.ip")]
    client: &'l str,
    #[serde(flatten)]
    error: Option<EcsError<'l>>,
}

#[derive(Serialize)]
struct EcsError<'l> {
    #[serde(rename = "error.type")]
    r#type: &'l str,
    #[serde(rename = "error.message")]
    message: &'l str,
    #[serde(rename = "error.stack_trace")]
    stack_trace: String,
}

impl<'l> Ecs<'l> {
    fn of(written: &Written<'l>, outcome: &Outcome) -> Self {
        const TYPE: &str = "java.net.SocketTimeoutException";
        let Outcome { level, message, status, milliseconds } = *outcome;
        let error = (status >= 500).then(|| EcsError {
            r#type: TYPE,
            message,
            stack_trace: format!(
                "{TYPE}: {message}\n\tat shop.Upstream.call(Upstream.java:88)\n\tat shop.Handler.run(Handler.java:31)\n"
            ),
        });
        let &Written { time, service, method, path, request, client } = written;
        #[expect(clippy::cast_possible_truncation)] // far below 2^53
        let duration = (milliseconds * 1e6) as i64;
        let (version, thread) = ("1.2.0", "http-1");
        Self { time, level, message, version, service, thread, method, path, status, duration, request, client, error }
    }
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("a line serializes to JSON")
}

fn format(service: &str) -> Format {
    match service {
        "gateway" => Format::Access,
        "search" | "catalog" => Format::Logfmt,
        "accounts" | "shipping" => Format::Ecs,
        _ => Format::Pino,
    }
}

/// Every five minutes payments fail for half a minute, and search is slow for one.
fn condition(service: &str, since_start: SignedDuration) -> Condition {
    match (service, since_start.as_secs().rem_euclid(300)) {
        ("payments", 15..45) => Condition::Failing,
        ("search", 150..210) => Condition::Slow,
        _ => Condition::Usual,
    }
}

impl Outcome {
    fn draw(draw: &mut Draw<'_>, condition: Condition) -> Self {
        // Most responses are fast, few are slow: the product of two uniform draws.
        let micros = draw.random.random_range(20_u32..600) * draw.random.random_range(20_u32..600);
        let milliseconds = f64::from(micros) / 1_000.0;
        let (level, message, status) = match (draw.random.random_range(0..100_u8), condition) {
            (0..70, Condition::Failing) => ("ERROR", "the card processor did not answer in time", 504),
            (0, _) => ("ERROR", "upstream did not answer in time", 504),
            (1, _) => ("ERROR", "could not write to the database", 500),
            (2..=5, _) => ("WARN", "request refused", 422),
            (6..=9, _) => ("WARN", "nothing found", 404),
            _ => ("INFO", "request served", 200),
        };
        let milliseconds = match condition {
            Condition::Failing if status == 504 => 5_000.0 + milliseconds,
            Condition::Slow => milliseconds * 20.0,
            _ => milliseconds,
        };
        Self { level, message, status, milliseconds }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::load::kind::Kind;
    use crate::load::sample::{Samples, noon};

    fn later(seconds: i64) -> jiff::Timestamp {
        noon() + jiff::SignedDuration::from_secs(seconds)
    }

    /// Lines and errors of a service among so many events.
    fn errors(samples: &Samples, service: &str) -> (usize, usize) {
        let lines: Vec<String> = (0..2_000).map(|number| samples.log(number, service)).collect();
        let errors =
            lines.iter().filter(|line| [" 50", "ERROR", "\"level\":50"].iter().any(|mark| line.contains(mark)));
        (lines.len(), errors.count())
    }

    #[test]
    fn few_lines_are_errors_but_in_an_outage() {
        for service in ["payments", "search", "gateway", "shipping"] {
            let (lines, usual) = errors(&Samples::new(Kind::Log, 3, noon), service);
            assert!(usual * 100 / lines < 5 && usual > 0, "{service}: {usual} of {lines}");
        }
        let mut samples = Samples::new(Kind::Log, 3, noon);
        samples.clock = || later(300 + 20);
        let (lines, failing) = errors(&samples, "payments");
        assert!((65..80).contains(&(failing * 100 / lines)), "{failing} of {lines}");
        assert!(errors(&samples, "search").1 * 100 / lines < 5, "the others are not failing");
    }

    /// In the format of its logger each service's lines are read by the lake.
    #[test]
    fn each_services_lines_are_read_in_its_format() {
        let samples = Samples::new(Kind::Log, 3, noon);
        let mut formats = BTreeMap::new();
        for service in ["payments", "search", "gateway", "shipping"] {
            let text: String = (0..200).map(|number| samples.log(number, service) + "\n").collect();
            let source = millrace_lake::Source {
                name: service.to_owned(),
                identity: service.to_owned(),
                service: service.to_owned(),
                observed: 0,
                offset: 0,
            };
            let folder = tempfile::tempdir().expect("a folder");
            let mut lake = millrace_lake::Folder::new(folder.path());
            let mut writer = millrace_lake::LakeWriter::new(&mut lake, &source);
            let report = millrace_lake::clean(text.as_bytes(), &source, &mut writer).expect("the lines are read");
            writer.finish().expect("the rows are written");
            assert_eq!(report.rows, 200, "{service}: a line is a row");
            formats.insert(service, report.formats.into_keys().collect::<Vec<_>>());
        }
        let expected = [("gateway", "access"), ("payments", "pino"), ("search", "logfmt"), ("shipping", "ecs")];
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(service, format)| (service, vec![format.to_owned()])).collect();
        assert_eq!(formats, expected);
    }
}
