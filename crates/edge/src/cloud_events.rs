//! CloudEvents over HTTP: content modes, and the write of a single event.

use std::borrow::Cow;

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use millrace_domain::cloud_event::{CloudEvent, HTTP_HEADER_PREFIX, is_json};
use millrace_domain::{Envelope, EventId, ValidationErrors};
use millrace_json::{Array, Document};

use crate::accept::{Accepted, RequestContext};
use crate::deadline::Deadline;
use crate::media::{self, MediaType};
use crate::problem::Problem;
use crate::sink::EventRecord;
use crate::{Edge, idempotency};

/// Content mode (CloudEvents HTTP protocol binding 1.0.2, section 3), or newline-delimited JSON.
enum Mode<'h> {
    Structured,
    Binary { attributes: Vec<(&'h str, &'h str)>, content_type: Option<MediaType> },
    Batch,
    Lines,
}

impl Edge {
    /// Answers `POST /events`.
    pub(crate) async fn cloud_events(
        &self,
        headers: &HeaderMap,
        context: &RequestContext,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        match mode(headers)? {
            Mode::Structured => {
                let event = CloudEvent::structured(&parse(body)?);
                self.one(headers, context, event, deadline).await
            }
            Mode::Binary { attributes, content_type } => {
                let content_type = content_type.as_ref().map(|media| media.full.as_str());
                // Errors of the whole body take precedence over those of single fields. An empty body is missing data, not
                // invalid JSON.
                if !body.is_empty() && content_type.is_none_or(is_json) {
                    parse(body)?;
                }
                self.one(headers, context, CloudEvent::binary(attributes, content_type, body), deadline).await
            }
            Mode::Batch => {
                idempotency::refuse_on_batch(headers)?;
                let Some(array) = Array::open(body).map_err(not_json)? else {
                    return Err(Problem::invalid(ValidationErrors::one("", "must be a JSON array of CloudEvents")));
                };
                let events = array.map(|event| event.map(Ok).map_err(not_json));
                self.many(context, events, deadline).await
            }
            Mode::Lines => {
                idempotency::refuse_on_batch(headers)?;
                let lines = body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
                let events = lines.map(|line| Ok(parse(line)));
                self.many(context, events, deadline).await
            }
        }
    }

    async fn one(
        &self,
        headers: &HeaderMap,
        context: &RequestContext,
        event: Result<CloudEvent<'_>, ValidationErrors>,
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        let id = idempotency::key(headers)?;
        let mut event = event.map_err(Problem::invalid)?;
        if let Some(id) = id {
            event.id = Cow::Owned(id.as_str().to_owned());
        }
        context.check_topic(event.topic)?;
        self.check_size(&event.data)?;
        let mut record = to_record(event, context);
        let ack = self.write_one(&mut record, deadline).await?;
        let accepted = Accepted::new("accepted", &record.envelope.id, record.topic, ack);
        Ok(accepted.into_response(StatusCode::ACCEPTED))
    }
}

fn mode(headers: &HeaderMap) -> Result<Mode<'_>, Problem> {
    let content_type = media::of(headers)?;
    match content_type.as_ref().map(|media| media.essence.as_str()) {
        Some(media::CLOUD_EVENT) => return Ok(Mode::Structured),
        Some(media::CLOUD_EVENTS) => return Ok(Mode::Batch),
        Some(media::NDJSON) => return Ok(Mode::Lines),
        _ => {}
    }
    let attributes = attributes(headers)?;
    let allows_binary = content_type.as_ref().is_none_or(|media| is_json(&media.full));
    if attributes.is_empty() && !allows_binary {
        let sent = content_type.map(|media| media.full).unwrap_or_default();
        let detail = format!(
            "the Content-Type {sent} is not supported without ce- headers; \
             send {}, {}, {}, or ce- headers with the data as the body",
            media::CLOUD_EVENT,
            media::CLOUD_EVENTS,
            media::NDJSON
        );
        let accepted = "application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson";
        return Err(Problem::unsupported(detail, accepted));
    }
    Ok(Mode::Binary { attributes, content_type })
}

/// The `ce-` headers without their prefix, sorted by name: HTTP headers have no order (RFC 9110, section 5.3) and gateways
/// reorder them, while a record's headers are ordered.
fn attributes(headers: &HeaderMap) -> Result<Vec<(&str, &str)>, Problem> {
    let mut attributes = Vec::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(HTTP_HEADER_PREFIX) else { continue };
        let unreadable = |detail| Problem::invalid(ValidationErrors::one(name.as_str(), detail));
        // Most SDKs send plain UTF-8, while the binding requires percent-encoding.
        let value =
            str::from_utf8(value.as_bytes()).map_err(|_| unreadable("must be UTF-8, as it is or percent-encoded"))?;
        // `HeaderMap` yields the values of one name consecutively.
        if attributes.last().is_some_and(|(known, _)| *known == attribute) {
            return Err(unreadable("was sent more than once"));
        }
        attributes.push((attribute, value));
    }
    attributes.sort_unstable();
    Ok(attributes)
}

/// Turns an event into a record for the sink.
pub(crate) fn to_record<'a>(event: CloudEvent<'a>, context: &'a RequestContext) -> EventRecord<'a> {
    let id = EventId::new(event.id);
    let (span, traceparent) = context.begin_write(event.topic, &id);
    EventRecord {
        topic: event.topic,
        key: event.key.text(&id),
        envelope: Envelope {
            id,
            event_type: event.event_type,
            source: event.source,
            time: event.time.unwrap_or_else(|| context.time()),
            content_type: event.content_type,
            traceparent: Some(traceparent),
            attributes: context.signed(event.attributes),
        },
        value: event.data,
        span,
    }
}

fn parse(body: &[u8]) -> Result<Document<'_>, Problem> {
    Document::parse(body).map_err(not_json)
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn not_json(error: millrace_json::Error) -> Problem {
    Problem::malformed(format!("not JSON: {error}"))
}
