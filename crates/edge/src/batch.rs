//! Many CloudEvents in one request, with a result for each.

use std::borrow::Cow;
use std::ops::Range;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use millrace_domain::cloud_event::CloudEvent;
use millrace_json::{Document, Value, write_string};
#[cfg(feature = "openapi")]
use serde::Serialize;

use crate::accept::{Accepted, RequestContext};
use crate::cloud_events::to_record;
use crate::deadline::Deadline;
use crate::memory_budget::Portion;
#[cfg(feature = "openapi")]
use crate::problem::ProblemBody;
use crate::problem::{Problem, RETRY_AFTER_FAILURE};
use crate::sink::{Ack, EventRecord, SinkError};
use crate::{Edge, media};

/// The results of a batch, in the order its events were sent.
#[cfg(feature = "openapi")]
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[allow(dead_code)] // the schema of what `ResultsWriter` writes
pub(crate) struct BatchAnswer {
    /// Number of events acknowledged by all in-sync replicas.
    accepted: usize,
    /// Number of invalid events; a retry does not help.
    rejected: usize,
    /// Number of events without an acknowledgement; a retry may help.
    failed: usize,
    /// One result per event.
    results: Vec<EventVerdict>,
}

/// The result of one event of a batch.
#[cfg(feature = "openapi")]
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum EventVerdict {
    /// Written.
    Accepted(Accepted<'static>),
    /// Not written, or not known to be.
    Refused {
        /// The event's id; null where it cannot be read.
        id: Option<String>,
        /// `rejected`: the event is invalid; `failed`: it was not acknowledged and may be retried.
        status: &'static str,
        /// The reason.
        error: ProblemBody,
    },
}

/// Size of the shortest valid event with its separator: `id`, `source`, `type` and `data` have one character each. A
/// batch with more events than fit at this size must have invalid ones, and is refused: so many results would take too
/// much memory.
const MIN_EVENT_SIZE: usize = r#"{"id":"1","type":"t","data":1,"source":"/","specversion":"1.0"},"#.len();

/// Memory that an event and its result take, about, besides the bytes of the request.
const MEMORY_PER_EVENT: usize = 1024;

/// Size of the result of an event with an id of usual length.
const TYPICAL_RESULT_SIZE: usize = 112;

/// Memory is reserved for this many events at a time.
const EVENTS_PER_RESERVATION: usize = 64;

/// An event of the batch; an error concerns that event alone.
type Framed<'a> = Result<Document<'a>, Problem>;

impl Edge {
    /// Writes the valid events and answers with a result for each, in their order. An error among the events concerns
    /// the whole request: then nothing is written.
    pub(crate) async fn many<'a>(
        &self,
        context: &'a RequestContext,
        events: impl Iterator<Item = Result<Framed<'a>, Problem>>,
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        let mut batch = self.check_all(context, events)?;
        let reports = self.write_all(&mut batch.valid, deadline).await;
        let mut written = batch.valid.iter().zip(reports);
        let mut results = ResultsWriter::with_capacity(batch.positions.len());
        for position in &batch.positions {
            match position {
                ItemPosition::Rejected(range) => results.rejected(&batch.rejections[range.clone()]),
                ItemPosition::Valid => {
                    if let Some((event, report)) = written.next() {
                        results.written(event, report);
                    }
                }
            }
        }
        self.batches.answered(results.accepted, results.rejected, results.failed);
        Ok(results.into_response())
    }

    /// Validates every event; nothing is written yet.
    fn check_all<'a>(
        &self,
        context: &'a RequestContext,
        mut events: impl Iterator<Item = Result<Framed<'a>, Problem>>,
    ) -> Result<Batch<'a, '_>, Problem> {
        self.check_each(context, &mut events)
            // A malformed request (400) takes precedence over one that is too large (413).
            .map_err(|problem| events.find_map(Result::err).unwrap_or(problem))
    }

    fn check_each<'a>(
        &self,
        context: &'a RequestContext,
        events: impl Iterator<Item = Result<Framed<'a>, Problem>>,
    ) -> Result<Batch<'a, '_>, Problem> {
        let limit = self.limits.request / MIN_EVENT_SIZE;
        let mut batch = Batch {
            valid: Vec::with_capacity(EVENTS_PER_RESERVATION),
            positions: Vec::with_capacity(EVENTS_PER_RESERVATION),
            rejections: Vec::new(),
            memory: self.memory_budget.portion(),
        };
        for (index, event) in events.enumerate() {
            let event = event?;
            if index == limit {
                return Err(Problem::too_large(format!("the batch has more than {limit} events")));
            }
            if index % EVENTS_PER_RESERVATION == 0 {
                batch.memory.grow_to((index + EVENTS_PER_RESERVATION) * MEMORY_PER_EVENT)?;
            }
            match event {
                Ok(event) => match self.check(&event, context) {
                    Ok(record) => batch.accept(record),
                    Err(problem) => batch.reject(readable_id(&event).as_deref(), &problem),
                },
                Err(problem) => batch.reject(None, &problem),
            }
        }
        Ok(batch)
    }

    fn check<'a>(&self, event: &Document<'a>, context: &'a RequestContext) -> Result<EventRecord<'a>, Problem> {
        let event = CloudEvent::structured(event).map_err(Problem::invalid)?;
        context.check_topic(event.topic)?;
        self.check_size(&event.data)?;
        Ok(to_record(event, context))
    }
}

/// A validated batch.
struct Batch<'a, 'e> {
    /// The valid events, to be written.
    valid: Vec<EventRecord<'a>>,
    /// The validation result of each event, in the order sent.
    positions: Vec<ItemPosition>,
    /// The results of the invalid events, as JSON.
    rejections: Vec<u8>,
    memory: Portion<'e>,
}

enum ItemPosition {
    Valid,
    /// Range of the result in `Batch::rejections`.
    Rejected(Range<usize>),
}

impl<'a> Batch<'a, '_> {
    fn accept(&mut self, event: EventRecord<'a>) {
        self.valid.push(event);
        self.positions.push(ItemPosition::Valid);
    }

    fn reject(&mut self, id: Option<&str>, problem: &Problem) {
        let start = self.rejections.len();
        write_unaccepted(&mut self.rejections, id, REJECTED, problem);
        self.positions.push(ItemPosition::Rejected(start..self.rejections.len()));
    }
}

/// The results as JSON, and their counts.
#[derive(Default)]
struct ResultsWriter {
    results: Vec<u8>,
    accepted: usize,
    rejected: usize,
    failed: usize,
}

const REJECTED: &str = "rejected";
const FAILED: &str = "failed";

impl ResultsWriter {
    fn with_capacity(events: usize) -> Self {
        Self { results: Vec::with_capacity(events * TYPICAL_RESULT_SIZE), ..Self::default() }
    }

    /// Adds a result that is JSON already.
    fn rejected(&mut self, result: &[u8]) {
        self.separate();
        self.results.extend_from_slice(result);
        self.rejected += 1;
    }

    /// Adds the result of an event that was sent to the sink.
    fn written(&mut self, event: &EventRecord<'_>, report: Result<Ack, SinkError>) {
        self.separate();
        let id = &event.envelope.id;
        match report {
            Ok(ack) => {
                Accepted::new("accepted", id, event.topic, ack).write(&mut self.results);
                self.accepted += 1;
            }
            Err(error) => {
                let status = if matches!(error, SinkError::TooLarge) {
                    self.rejected += 1;
                    REJECTED
                } else {
                    self.failed += 1;
                    FAILED
                };
                write_unaccepted(
                    &mut self.results,
                    Some(id.as_str()),
                    status,
                    &Problem::unwritten(&error, id.as_str()),
                );
            }
        }
    }

    fn separate(&mut self) {
        if !self.results.is_empty() {
            self.results.push(b',');
        }
    }

    fn status(&self) -> StatusCode {
        match (self.accepted, self.rejected, self.failed) {
            (1.., 0, 0) => StatusCode::ACCEPTED,
            (0, _, 0) => StatusCode::UNPROCESSABLE_ENTITY,
            (0, 0, _) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::MULTI_STATUS,
        }
    }

    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = counted(status, [self.accepted, self.rejected, self.failed], "results", &self.results);
        if self.failed > 0 {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_FAILURE.into());
        }
        response
    }
}

/// An answer with the numbers accepted, rejected and failed, and a list of JSON that says more.
pub(crate) fn counted(status: StatusCode, counts: [usize; 3], name: &str, list: &[u8]) -> Response {
    let [accepted, rejected, failed] = counts;
    let mut body = Vec::with_capacity(list.len() + 96);
    let start = format!(r#"{{"accepted":{accepted},"rejected":{rejected},"failed":{failed},"{name}":["#);
    body.extend_from_slice(start.as_bytes());
    body.extend_from_slice(list);
    body.extend_from_slice(b"]}");
    (status, [(CONTENT_TYPE, HeaderValue::from_static(media::JSON))], body).into_response()
}

fn write_unaccepted(out: &mut Vec<u8>, id: Option<&str>, status: &'static str, problem: &Problem) {
    let problem = problem.item_json(out.len(), "details omitted: the batch has too many errors");
    out.extend_from_slice(b"{\"id\":");
    match id {
        Some(id) => write_string(out, id),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"status\":");
    write_string(out, status);
    out.extend_from_slice(b",\"error\":");
    out.extend_from_slice(&problem);
    out.push(b'}');
}

/// The id of an invalid event, for the sender to identify it by.
fn readable_id<'a>(event: &Document<'a>) -> Option<Cow<'a, str>> {
    event.get("id").and_then(Value::as_str)
}
