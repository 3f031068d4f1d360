//! Single events: validation, write and acknowledgement.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use millrace_domain::event::EventType;
use millrace_domain::traceparent::TraceParent;
use millrace_domain::{Envelope, EventId};
use millrace_json::{Document, write_string};
use millrace_trace::{Span, SpanKind};
use serde::Serialize;

use crate::access::{self, Sender};
use crate::deadline::Deadline;
use crate::problem::Problem;
use crate::sink::{Ack, EventRecord, SinkError};
use crate::{Edge, idempotency, media};

/// `ce_source` of events sent to an event type's own route.
pub const SOURCE: &str = "/millrace/edge";

/// An event acknowledged by all in-sync replicas.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "status": "accepted", "id": "0198c0de-7a11-7000-8000-000000000001", "topic": "orders", "partition": 2, "offset": 41,
})))]
pub(crate) struct Accepted<'a> {
    /// The result.
    status: &'static str,
    /// The event's id: the caller's `Idempotency-Key`, the CloudEvent's own id, or a UUIDv7.
    id: &'a str,
    /// The topic it was written to.
    topic: &'static str,
    /// The partition.
    partition: i32,
    /// The offset.
    offset: i64,
}

impl<'a> Accepted<'a> {
    pub(crate) fn new(status: &'static str, id: &'a EventId, topic: &'static str, ack: Ack) -> Self {
        let Ack { partition, offset } = ack;
        Self { status, id: id.as_str(), topic, partition, offset }
    }

    /// Writes the JSON without serde: this is the response to nearly every request.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"status\":");
        write_string(out, self.status);
        out.extend_from_slice(b",\"id\":");
        write_string(out, self.id);
        out.extend_from_slice(b",\"topic\":");
        write_string(out, self.topic);
        // Writing to memory cannot fail.
        let _ = write!(out, ",\"partition\":{},\"offset\":{}}}", self.partition, self.offset);
    }

    pub(crate) fn into_response(self, status: StatusCode) -> Response {
        let mut body = Vec::with_capacity(192);
        self.write(&mut body);
        (status, [(CONTENT_TYPE, HeaderValue::from_static(media::JSON))], body).into_response()
    }
}

/// An event type's own route.
pub(crate) struct Route {
    pub(crate) kind: &'static EventType,
    pub(crate) code: StatusCode,
    pub(crate) status: &'static str,
}

impl Edge {
    /// Handles a request of a route that accepts JSON only.
    pub(crate) async fn take(&self, route: &Route, request: Request) -> Result<Response, Problem> {
        let deadline = self.deadline(request.extensions());
        let (Parts { headers, extensions, .. }, body) = request.into_parts();
        media::require_json(&headers)?;
        let contents = self.read(&headers, body, deadline).await?;
        let context = RequestContext::of(&headers, &extensions);
        self.accept(route, &headers, &context, contents.bytes.as_ref().into(), deadline).await
    }

    /// Validates a JSON value, writes it and answers with its acknowledgement.
    pub(crate) async fn accept(
        &self,
        route: &Route,
        headers: &HeaderMap,
        context: &RequestContext,
        value: Cow<'_, [u8]>,
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        let id = idempotency::key(headers)?;
        self.check_size(&value)?;
        let document = Document::parse(&value).map_err(|error| Problem::malformed(format!("not JSON: {error}")))?;
        let key = route.kind.admit(&document).map_err(Problem::invalid)?.into_owned();
        drop(document);
        let id = id.unwrap_or_else(EventId::random);
        let key = key.text(&id);
        let mut record = context.to_record(route.kind, id, key, value);
        let ack = self.write_one(&mut record, deadline).await?;
        Ok(Accepted::new(route.status, &record.envelope.id, record.topic, ack).into_response(route.code))
    }

    /// Writes one event within the deadline.
    pub(crate) async fn write_one(&self, event: &mut EventRecord<'_>, deadline: Deadline) -> Result<Ack, Problem> {
        let mut reports = self.write_all(std::slice::from_mut(event), deadline).await;
        let report = reports.pop().unwrap_or(Err(SinkError::OutcomeUnknown));
        if let Err(error) = &report {
            let (topic, event_id) = (event.topic, event.envelope.id.as_str());
            let trace_id = event.envelope.traceparent.as_deref().and_then(TraceParent::parse);
            let trace_id = trace_id.map(TraceParent::trace_id_text);
            tracing::debug!(topic, event_id, trace_id, reason = error.reason(), "event not acknowledged");
        }
        report.map_err(|error| Problem::unwritten(&error, event.envelope.id.as_str()))
    }

    /// Writes the events within the deadline and notes in their spans what became of them; one report for each, in their
    /// order.
    pub(crate) async fn write_all(
        &self,
        events: &mut [EventRecord<'_>],
        deadline: Deadline,
    ) -> Vec<Result<Ack, SinkError>> {
        let mut reports = if events.is_empty() {
            Vec::new()
        } else {
            deadline.bound(self.sink.write(events)).await.unwrap_or_default()
        };
        // Without a report in time the outcome is unknown.
        reports.resize(events.len(), Err(SinkError::OutcomeUnknown));
        for (event, report) in events.iter_mut().zip(&reports) {
            event.reported(report);
        }
        reports
    }

    /// Refuses a value above the limit of a record (413).
    pub(crate) fn check_size(&self, value: &[u8]) -> Result<(), Problem> {
        let limit = self.limits.value;
        if value.len() > limit {
            return Err(Problem::too_large(format!("the event has {} bytes, the limit is {limit}", value.len())));
        }
        Ok(())
    }
}

/// The header of a trace's context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The caller's trace, where the header is valid.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get(TRACEPARENT).and_then(|header| TraceParent::parse(header.to_str().ok()?))
}

/// Time, trace and sender that the events of one request share. The clock is read once: a time in a value that the edge itself
/// added is recognized by its being equal to the event's `time`.
pub(crate) struct RequestContext {
    time: String,
    caller: Option<TraceParent>,
    sender: Option<Sender>,
    has_refused: AtomicBool,
}

impl RequestContext {
    pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions) -> Self {
        Self {
            time: format!("{:.3}", jiff::Timestamp::now()),
            caller: traceparent(headers),
            sender: extensions.get().cloned(),
            has_refused: AtomicBool::new(false),
        }
    }

    /// Checks that the sender may write to a topic. The first refusal of a request is a line of the audit.
    pub(crate) fn check_topic(&self, topic: &str) -> Result<(), Problem> {
        let Some(sender) = &self.sender else { return Ok(()) };
        let scope = access::write_scope(topic);
        sender.check(&scope).inspect_err(|_| {
            if !self.has_refused.swap(true, Ordering::Relaxed) {
                sender.audit_lack(&scope, &Method::POST, "/events");
            }
        })
    }

    /// An event's attributes, with who sent it.
    pub(crate) fn signed(&self, mut attributes: Vec<(String, String)>) -> Vec<(String, String)> {
        access::sign(&mut attributes, self.sender.as_ref());
        attributes
    }

    /// The time of an event without one, in RFC 3339 with milliseconds.
    pub(crate) fn time(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.time)
    }

    /// The record of an event that is sent as its data alone: the edge is its source, and it happens now.
    pub(crate) fn to_record<'a>(
        &'a self,
        kind: &EventType,
        id: EventId,
        key: Cow<'a, str>,
        value: Cow<'a, [u8]>,
    ) -> EventRecord<'a> {
        let (span, traceparent) = self.begin_write(kind.topic, &id);
        EventRecord {
            topic: kind.topic,
            key,
            envelope: Envelope {
                id,
                event_type: kind.name.into(),
                source: SOURCE.into(),
                time: self.time(),
                content_type: media::JSON.into(),
                traceparent: Some(traceparent),
                attributes: self.signed(Vec::new()),
            },
            value,
            span,
        }
    }

    /// The span of an event that is going to be written, and the record's `traceparent`: the caller's trace with a new
    /// parent id, or a new trace.
    pub(crate) fn begin_write(&self, topic: &'static str, id: &EventId) -> (Span, String) {
        let mut span = Span::start(SpanKind::Producer, self.caller, || format!("send {topic}"));
        let Some(context) = span.context() else {
            return (span, TraceParent::next_hop(self.caller, &mut rand::rng()).to_string());
        };
        span.set_text("messaging.system", "kafka");
        span.set_text("messaging.destination.name", topic);
        span.set_text("messaging.message.id", id.as_str());
        (span, context.to_string())
    }
}
