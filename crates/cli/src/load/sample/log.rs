//! Lines of a web service's log.

use jiff::Timestamp;
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

#[derive(Debug, Serialize)]
pub(in super::super) struct Log {
    timestamp: Timestamp,
    level: &'static str,
    message: &'static str,
    method: &'static str,
    path: &'static str,
    status: u16,
    duration_ms: f64,
    client_ip: String,
    request_id: String,
}

impl Log {
    pub(super) fn draw(draw: &mut Draw<'_>) -> Self {
        let (method, path) = ROUTES[draw.random.random_range(0..ROUTES.len())];
        let (level, message, status) = match draw.random.random_range(0..100_u8) {
            0 => ("ERROR", "upstream did not answer in time", 504),
            1 => ("ERROR", "could not write to the database", 500),
            2..=5 => ("WARN", "request refused", 422),
            6..=9 => ("WARN", "nothing found", 404),
            _ => ("INFO", "request served", 200),
        };
        // Most responses are fast, few are slow: the product of two uniform draws.
        let micros = draw.random.random_range(20_u32..600) * draw.random.random_range(20_u32..600);
        Self {
            timestamp: draw.time(),
            level,
            message,
            method,
            path,
            status,
            duration_ms: f64::from(micros) / 1_000.0,
            client_ip: population::address(&mut draw.random),
            request_id: format!("{:016x}", draw.random.random::<u64>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::kind::Kind;
    use crate::load::sample::{Samples, noon};

    #[test]
    fn a_line_has_timestamp_level_and_message_and_few_are_errors() {
        let samples = Samples::new(Kind::Log, 3, noon);
        let errors = (0..1_000)
            .filter(|number| {
                let line = serde_json::to_value(samples.event(*number)).expect("a sample is JSON");
                for field in ["timestamp", "level", "message"] {
                    assert!(line[field].is_string(), "{field}");
                }
                line["level"] == "ERROR"
            })
            .count();
        assert!((5..60).contains(&errors), "{errors}");
    }
}
