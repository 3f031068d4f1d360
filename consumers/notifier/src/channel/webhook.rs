//! Webhooks by the Standard Webhooks specification: signed, with the event's id.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use millrace_outbound::Endpoint;

use super::signature::{Secret, signatures};
use crate::event::Event;
use crate::failure::Failure;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The channel for webhooks.
pub(crate) struct Webhook {
    endpoint: Endpoint,
    secrets: Vec<Secret>,
}

impl Webhook {
    pub(super) fn new(endpoint: Endpoint, secrets: Vec<Secret>) -> Self {
        Self { endpoint, secrets }
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        let body = body(event);
        let headers = self.headers(&event.id_for_header(), Timestamp::now().as_second(), &body)?;
        Ok(self.endpoint.post(body, headers).await?)
    }

    fn headers(&self, id: &str, timestamp: i64, body: &str) -> Result<HeaderMap, Failure> {
        let value = |text: Cow<'_, str>| {
            HeaderValue::from_str(&text).map_err(|_| Failure::refused(format!("{text:?} is not a valid header value")))
        };
        Ok(HeaderMap::from_iter([
            (ID, value(id.into())?),
            (TIMESTAMP, HeaderValue::from(timestamp)),
            (SIGNATURE, value(signatures(&self.secrets, id, timestamp, body).into())?),
        ]))
    }
}

/// `{"type", "timestamp", "data"}`, where `data` is the record's value as sent.
fn body(event: &Event<'_>) -> String {
    let mut body = String::with_capacity(event.value.len() + 128);
    let Event { kind, time, value, .. } = event;
    // Writing to a string does not fail.
    let _ = write!(body, r#"{{"type":{},"timestamp":"{time}","data":{value}}}"#, millrace_json::escape(kind));
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::EXAMPLE;

    #[test]
    fn the_body_has_the_value_as_sent() {
        let body = body(&Event { kind: "quoted \" type", ..EXAMPLE });
        assert_eq!(
            body,
            format!(r#"{{"type":"quoted \" type","timestamp":"2026-01-31T12:00:00Z","data":{}}}"#, EXAMPLE.value)
        );
    }
}
