//! AWS: lines of an Application Load Balancer, and what Lambda's platform prints in text.

use super::Format;
use super::access::without_port;
use crate::draft::Draft;
use crate::stamp::Stamp;

const LOAD_BALANCER: &str = "alb";

const LAMBDA: &str = "lambda";

/// Access lines of an Application Load Balancer.
#[derive(Debug)]
pub(super) struct LoadBalancer;

/// Names of the fields behind the type and time, up to the request.
const FIELDS: [&str; 10] = [
    "elb",
    "client",
    "target",
    "request_processing_time",
    "target_processing_time",
    "response_processing_time",
    "elb_status_code",
    "target_status_code",
    "received_bytes",
    "bytes",
];

impl Format for LoadBalancer {
    fn names(&self) -> Vec<&'static str> {
        vec![LOAD_BALANCER]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (kind, rest) = text.split_once(' ')?;
        if !matches!(kind, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") {
            return None;
        }
        let (time, rest) = rest.split_once(' ')?;
        let stamp = Stamp::read_all(time)?;
        let (values, rest) = rest.split_once(" \"")?;
        let values: Vec<&str> = values.split(' ').collect();
        if values.len() != FIELDS.len() {
            return None;
        }
        let mut quoted = rest.split('"');
        let request = quoted.next()?;
        let (_, agent) = (quoted.next()?, quoted.next()?);
        draft.stamp(stamp);
        draft.body(request);
        draft.attribute("type", Some(kind));
        for (name, value) in FIELDS.into_iter().zip(&values) {
            match name {
                "elb_status_code" => drop(draft.status(value)),
                "client" => draft.known(name, without_port(value)),
                _ => draft.known(name, value),
            }
        }
        // -1 where the target did not answer.
        let seconds: Option<Vec<f64>> = values.get(3..6)?.iter().map(|text| text.parse().ok()).collect();
        if let Some(seconds) = seconds.filter(|seconds| seconds.iter().all(|part| *part >= 0.0)) {
            draft.duration(seconds.iter().sum::<f64>() * 1_000.0);
        }
        let mut words = request.splitn(3, ' ');
        for name in ["method", "path", "version"] {
            draft.known(name, words.next().unwrap_or_default());
        }
        draft.known("user_agent", agent);
        let behind = rest.get(rest.find(agent)? + agent.len()..)?.trim_start_matches('"').trim();
        draft.known("rest", behind);
        if let Some(trace) = rest.split("\"Root=").nth(1).and_then(|trace| trace.split('"').next()) {
            draft.known("x_amzn_trace_id", trace);
        }
        Some(LOAD_BALANCER)
    }
}

/// `START RequestId: …`, `END RequestId: …` and `REPORT RequestId: …`, whose further fields are behind TABs.
#[derive(Debug)]
pub(super) struct Lambda;

/// Whether a line is Lambda's own.
pub(super) fn is_platform(text: &str) -> bool {
    text.split_once(" RequestId: ").is_some_and(|(kind, _)| matches!(kind, "START" | "END" | "REPORT"))
}

impl Format for Lambda {
    fn names(&self) -> Vec<&'static str> {
        vec![LAMBDA]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (_, rest) = text.split_once(" RequestId: ").filter(|_| is_platform(text))?;
        let id = rest.split([' ', '\t']).next()?;
        draft.body(text);
        draft.attribute("request_id", Some(id));
        for part in rest.split('\t') {
            let Some((name, value)) = part.trim().split_once(": ") else { continue };
            match name {
                "Duration" => draft.duration(value.strip_suffix(" ms")?.parse().ok()?),
                "Billed Duration" | "Memory Size" | "Max Memory Used" | "Init Duration" | "Status" => {
                    draft.attribute(&name.to_ascii_lowercase().replace(' ', "_"), Some(value));
                }
                _ => {}
            }
        }
        Some(LAMBDA)
    }
}
