//! Builds requests from samples.
//!
//! A body is built when its request is due, by the connection that sends it: about a microsecond an event, a small part
//! of the cost of the request.

use std::io::Write as _;
use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;

use super::kind::{Framing, Kind, Route};
use super::sample::{Clock, Sample, Samples};

/// `source` of the generator's `CloudEvents`.
const SOURCE: &str = "/millrace/load";

/// The body and the request-specific headers of one request.
#[derive(Debug)]
pub(super) struct Payload {
    /// The header `X-Service` of log lines.
    pub(super) service: Option<&'static str>,
    pub(super) body: Bytes,
}

/// All requests of a run.
#[derive(Debug)]
pub(super) struct Requests {
    route: Route,
    samples: Samples,
}

/// `CloudEvents` 1.0 in the JSON format, structured mode.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'static str,
    r#type: &'static str,
    datacontenttype: &'static str,
    data: &'a Sample,
}

impl Requests {
    /// Requests of `batch` events of `kind`, generated from `seed`, with timestamps of `clock`.
    pub(super) fn new(kind: Kind, batch: u32, seed: u64, clock: Clock) -> Self {
        Self { route: kind.route(batch), samples: Samples::new(kind, seed, clock) }
    }

    pub(super) fn route(&self) -> Route {
        self.route
    }

    /// The request that carries the events of these numbers.
    pub(super) fn payload(&self, events: Range<u64>) -> Payload {
        let mut body = Vec::with_capacity(256);
        let service = match self.route.framing {
            Framing::Single => {
                write_json(&mut body, &self.samples.event(events.start));
                None
            }
            Framing::CloudEvents => {
                self.write_cloud_events(&mut body, events);
                None
            }
            Framing::Lines => {
                let service = self.samples.service(events.start);
                for number in events {
                    body.extend_from_slice(self.samples.log(number, service).as_bytes());
                    body.push(b'\n');
                }
                Some(service)
            }
        };
        Payload { service, body: Bytes::from(body) }
    }

    fn write_cloud_events(&self, body: &mut Vec<u8>, events: Range<u64>) {
        let mut separator = b'[';
        for number in events {
            body.push(separator);
            separator = b',';
            let data = self.samples.event(number);
            let event = CloudEvent {
                specversion: "1.0",
                id: self.samples.id(number),
                source: SOURCE,
                r#type: data.event_type(),
                datacontenttype: "application/json",
                data: &data,
            };
            write_json(body, &event);
        }
        body.push(b']');
    }
}

fn write_json(body: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(body.by_ref(), value).expect("samples serialize to JSON");
}

#[cfg(test)]
mod tests {
    use super::super::sample::noon;
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_single_event_is_its_json_alone() {
        let requests = Requests::new(Kind::Order, 1, 7, noon);
        let payload = requests.payload(4..5);
        let order: Value = serde_json::from_slice(&payload.body).expect("the body is JSON");
        assert!(order["order_id"].is_string());
        assert_eq!(payload.service, None);
    }

    /// Their types are those that the edge routes by.
    #[test]
    fn a_batch_is_an_array_of_cloud_events() {
        for (kind, event_type) in [
            (Kind::Notification, "millrace.notification.requested"),
            (Kind::Order, "millrace.order.placed"),
            (Kind::Login, "millrace.login.seen"),
        ] {
            let body = Requests::new(kind, 3, 7, noon).payload(6..9).body;
            let events: Vec<Value> = serde_json::from_slice(&body).expect("the body is an array");
            assert_eq!(events.len(), 3);
            for event in &events {
                assert_eq!(event["specversion"], "1.0");
                assert_eq!(event["type"], event_type);
                assert!(event["data"].is_object());
            }
            assert_ne!(events[0]["id"], events[1]["id"]);
        }
    }

    #[test]
    fn a_batch_carries_the_same_events_as_single_requests() {
        let (single, batch) = (Requests::new(Kind::Login, 1, 7, noon), Requests::new(Kind::Login, 2, 7, noon));
        let events: Vec<Value> = serde_json::from_slice(&batch.payload(0..2).body).expect("the body is an array");
        let second: Value = serde_json::from_slice(&single.payload(1..2).body).expect("the body is JSON");
        assert_eq!(events[1]["data"], second);
    }

    #[test]
    fn log_lines_belong_to_one_service() {
        let payload = Requests::new(Kind::Log, 5, 7, noon).payload(0..5);
        assert!(payload.service.is_some());
        let body = std::str::from_utf8(&payload.body).expect("the body is text");
        assert!(body.ends_with('\n'));
        assert_eq!(body.lines().filter(|line| !line.is_empty()).count(), 5);
    }
}
