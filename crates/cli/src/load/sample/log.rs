//! Lines of several services' logs, each in the format of its logger, and with an outage now and then.

use std::fmt::Write as _;

use jiff::SignedDuration;
use rand::RngExt as _;
use serde_json::json;

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
    let Outcome { level, message, status, milliseconds } = outcome;
    let request = format!("{:016x}", draw.random.random::<u64>());
    let client = population::address(&mut draw.random);
    match format(service) {
        Format::Pino => {
            let number =
                [("INFO", 30), ("WARN", 40)].iter().find(|(name, _)| *name == level).map_or(50, |(_, number)| *number);
            let mut line = json!({
                "level": number, "time": time.as_millisecond(), "pid": 17, "hostname": format!("{service}-0"),
                "req": {"id": request, "method": method, "url": path, "remoteAddress": client},
                "res": {"statusCode": status}, "responseTime": milliseconds, "msg": message,
            });
            if status >= 500 {
                let stack = format!(
                    "UpstreamError: {message}\n    at call (/app/src/upstream.js:41:11)\n    at async handle (/app/src/routes.js:17:5)"
                );
                line["err"] = json!({"type": "UpstreamError", "message": message, "stack": stack});
            }
            line.to_string()
        }
        Format::Ecs => {
            #[expect(clippy::cast_possible_truncation)] // far below 2^53
            let nanoseconds = (milliseconds * 1e6) as i64;
            let mut line = json!({
                "@timestamp": time.to_string(), "log.level": level, "message": message, "ecs.version": "1.2.0",
                "service.name": service, "process.thread.name": "http-1", "http.request.method": method, "url.path": path,
                "http.response.status_code": status, "event.duration": nanoseconds, "http.request.id": request,
            });
            if status >= 500 {
                line["error.type"] = json!("java.net.SocketTimeoutException");
                line["error.message"] = json!(message);
                line["error.stack_trace"] = json!(format!(
                    "java.net.SocketTimeoutException: {message}\n\tat shop.Upstream.call(Upstream.java:88)\n\tat shop.Handler.run(Handler.java:31)\n"
                ));
            }
            line.to_string()
        }
        Format::Logfmt => format!(
            "time={time} level={level} msg={message:?} method={method} path={path} status={status} duration={milliseconds:.3}ms \
             request_id={request} client_ip={client}"
        ),
        Format::Access => {
            let mut line = format!("{client} - - [{}] ", time.strftime("%d/%b/%Y:%H:%M:%S +0000"));
            let bytes = draw.random.random_range(200..9_000_u32);
            let _ = write!(line, "\"{method} {path} HTTP/1.1\" {status} {bytes} \"-\" \"shop-app/4.2\"");
            line
        }
    }
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
        let expected = [("gateway", "access"), ("payments", "json"), ("search", "logfmt"), ("shipping", "ecs")];
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(service, format)| (service, vec![format.to_owned()])).collect();
        assert_eq!(formats, expected);
    }
}
