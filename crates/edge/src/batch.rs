//! Many CloudEvents in one request, with a verdict for each.

use std::borrow::Cow;
use std::ops::Range;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use millrace_domain::cloud_event::CloudEvent;
use millrace_domain::json::{Document, Value, write_string};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accept::{Accepted, RequestContext};
use crate::cloud_events::submission;
use crate::deadline::Deadline;
use crate::memory_budget::Portion;
use crate::problem::{AFTER_FAILURE, Problem, ProblemBody};
use crate::sink::{Ack, EventRecord, SinkError};
use crate::{Edge, media};

/// The verdicts on a batch, in the order its events were sent.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code)] // the schema of what `Verdicts` writes
pub(crate) struct BatchAnswer {
    /// Events that every in-sync replica has.
    accepted: usize,
    /// Events that will never do.
    rejected: usize,
    /// Events that were not acknowledged.
    failed: usize,
    /// One verdict an event.
    results: Vec<EventVerdict>,
}

/// The verdict on one event of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum EventVerdict {
    /// It was written.
    Accepted(Accepted<'static>),
    /// It was not.
    Refused {
        /// Its id; null where it cannot be read.
        id: Option<String>,
        /// `rejected` where it will never do, `failed` where it may be sent again.
        status: &'static str,
        /// Why.
        error: ProblemBody,
    },
}

/// No valid event is shorter, with what separates it from the next: `id`, `source`, `type` and `data` have a character
/// each. A request with more events than this lets fit is not worth the memory of its verdicts.
const SHORTEST_EVENT: usize = r#"{"id":"1","type":"t","data":1,"source":"/","specversion":"1.0"},"#.len();

/// What an event and its verdict take of the memory, about, besides the bytes of the request.
const ROOM_PER_EVENT: usize = 1024;

/// What the verdict on an event with a usual id takes, in bytes.
const USUAL_VERDICT: usize = 112;

/// Memory is reserved for so many events at once.
const STEP: usize = 64;

/// Once verdicts have this many bytes, further refusals say less.
const DETAILED: usize = 1 << 20;

/// An event as its framing hands it over; an error is one of that event alone.
type Framed<'a> = Result<Document<'a>, Problem>;

impl Edge {
    /// Writes the events that are good, and answers for all in their order. An error among the events is one of the
    /// whole request: then nothing is written.
    pub(crate) async fn many<'a>(
        &self,
        arrival: &'a RequestContext,
        events: impl Iterator<Item = Result<Framed<'a>, Problem>>,
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        let batch = self.check_all(arrival, events)?;
        let reports = if batch.good.is_empty() {
            Vec::new()
        } else {
            let unknown = || vec![Err(SinkError::OutcomeUnknown); batch.good.len()];
            deadline.bound(self.sink.write(&batch.good)).await.unwrap_or_else(|_| unknown())
        };
        // Whatever a sink leaves out was not acknowledged.
        let reports = reports.into_iter().chain(std::iter::repeat(Err(SinkError::OutcomeUnknown)));
        let mut written = batch.good.iter().zip(reports);
        let mut verdicts = Verdicts::with_room_for(batch.places.len());
        for place in &batch.places {
            match place {
                ItemPosition::Refused(refusal) => verdicts.rejected(&batch.refusals[refusal.clone()]),
                ItemPosition::Good => {
                    if let Some((event, report)) = written.next() {
                        verdicts.written(event, report);
                    }
                }
            }
        }
        Ok(verdicts.into_response())
    }

    /// Checks every event; nothing is written yet.
    fn check_all<'a>(
        &self,
        arrival: &'a RequestContext,
        mut events: impl Iterator<Item = Result<Framed<'a>, Problem>>,
    ) -> Result<Batch<'a, '_>, Problem> {
        self.check_each(arrival, &mut events)
            // That the request is malformed goes before that it is too large.
            .map_err(|problem| events.find_map(Result::err).unwrap_or(problem))
    }

    fn check_each<'a>(
        &self,
        arrival: &'a RequestContext,
        events: impl Iterator<Item = Result<Framed<'a>, Problem>>,
    ) -> Result<Batch<'a, '_>, Problem> {
        let most = self.limits.request / SHORTEST_EVENT;
        let mut batch = Batch {
            good: Vec::with_capacity(STEP),
            places: Vec::with_capacity(STEP),
            refusals: Vec::new(),
            room: self.rooms.share(),
        };
        for (index, event) in events.enumerate() {
            let event = event?;
            if index == most {
                return Err(Problem::too_large(format!("the batch has more than {most} events")));
            }
            if index % STEP == 0 {
                batch.room.cover((index + STEP) * ROOM_PER_EVENT)?;
            }
            match event {
                Ok(event) => match self.check(&event, arrival) {
                    Ok(submission) => batch.admit(submission),
                    Err(problem) => batch.refuse(readable_id(&event).as_deref(), &problem),
                },
                Err(problem) => batch.refuse(None, &problem),
            }
        }
        Ok(batch)
    }

    fn check<'a>(&self, event: &Document<'a>, arrival: &'a RequestContext) -> Result<EventRecord<'a>, Problem> {
        let event = CloudEvent::structured(event).map_err(Problem::invalid)?;
        self.check_size(&event.data)?;
        Ok(submission(event, arrival))
    }
}

/// A batch that was checked.
struct Batch<'a, 'e> {
    /// The events to be written.
    good: Vec<EventRecord<'a>>,
    /// What became of each event that was sent.
    places: Vec<ItemPosition>,
    /// Verdicts on those that are not good, written out.
    refusals: Vec<u8>,
    room: Portion<'e>,
}

enum ItemPosition {
    Good,
    /// Where the verdict stands among the refusals.
    Refused(Range<usize>),
}

impl<'a> Batch<'a, '_> {
    fn admit(&mut self, event: EventRecord<'a>) {
        self.good.push(event);
        self.places.push(ItemPosition::Good);
    }

    fn refuse(&mut self, id: Option<&str>, problem: &Problem) {
        let start = self.refusals.len();
        write_refusal(&mut self.refusals, id, REJECTED, problem);
        self.places.push(ItemPosition::Refused(start..self.refusals.len()));
    }
}

/// Verdicts as they are written, and their counts.
#[derive(Default)]
struct Verdicts {
    results: Vec<u8>,
    accepted: usize,
    rejected: usize,
    failed: usize,
}

const REJECTED: &str = "rejected";
const FAILED: &str = "failed";

impl Verdicts {
    fn with_room_for(events: usize) -> Self {
        Self { results: Vec::with_capacity(events * USUAL_VERDICT), ..Self::default() }
    }

    /// Adds a verdict that is written out already.
    fn rejected(&mut self, refusal: &[u8]) {
        self.separate();
        self.results.extend_from_slice(refusal);
        self.rejected += 1;
    }

    /// Adds the verdict on an event that went to the sink.
    fn written(&mut self, event: &EventRecord<'_>, report: Result<Ack, SinkError>) {
        self.separate();
        let id = &event.envelope.id;
        match report {
            Ok(receipt) => {
                Accepted::new("accepted", id, event.topic, receipt).write(&mut self.results);
                self.accepted += 1;
            }
            Err(error) => {
                let verdict = if matches!(error, SinkError::TooLarge) {
                    self.rejected += 1;
                    REJECTED
                } else {
                    self.failed += 1;
                    FAILED
                };
                write_refusal(&mut self.results, Some(id.as_str()), verdict, &Problem::unwritten(&error, id.as_str()));
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
        let Self { accepted, rejected, failed, results } = self;
        let mut body =
            format!(r#"{{"accepted":{accepted},"rejected":{rejected},"failed":{failed},"results":["#).into_bytes();
        body.extend_from_slice(&results);
        body.extend_from_slice(b"]}");
        let mut response = (status, [(CONTENT_TYPE, HeaderValue::from_static(media::JSON))], body).into_response();
        if failed > 0 {
            response.headers_mut().insert(RETRY_AFTER, AFTER_FAILURE.into());
        }
        response
    }
}

fn write_refusal(out: &mut Vec<u8>, id: Option<&str>, verdict: &'static str, problem: &Problem) {
    let problem = if out.len() < DETAILED {
        problem.body()
    } else {
        problem.cut_to("as above, in short: too much is wrong with this batch to say it all").body()
    };
    out.extend_from_slice(b"{\"id\":");
    match id {
        Some(id) => write_string(out, id),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"status\":");
    write_string(out, verdict);
    out.extend_from_slice(b",\"error\":");
    out.extend_from_slice(&serde_json::to_vec(&problem).unwrap_or_else(|_| b"null".to_vec()));
    out.push(b'}');
}

/// The id of an event that is wrong otherwise, so that its sender can tell which one it was.
fn readable_id<'a>(event: &Document<'a>) -> Option<Cow<'a, str>> {
    event.get("id").and_then(Value::as_str)
}
