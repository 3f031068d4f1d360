//! CloudEvents over HTTP: one at a time, or many with a verdict for each.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use millrace_domain::cloud_event::{CloudEvent, HTTP_HEADER_PREFIX};
use millrace_domain::json::{Document, Kind, Value, write_string};
use millrace_domain::{Envelope, EventId, FieldErrors};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Edge;
use crate::accept::{Accepted, now, traceparent};
use crate::deadline::Deadline;
use crate::idempotency;
use crate::media::{self, MediaType};
use crate::problem::{Problem, ProblemBody};
use crate::sink::{SinkError, Submission};

/// The verdicts on a batch, in the order its events were sent.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code)] // the schema of what `Verdicts::write` writes
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
    Accepted(Accepted),
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

/// How CloudEvents are sent (HTTP protocol binding 1.0.2, section 3).
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
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        match mode(headers)? {
            Mode::Structured => {
                let document = parse(body)?;
                self.one(headers, CloudEvent::structured(&document.root()), deadline).await
            }
            Mode::Binary { attributes, content_type } => {
                let content_type = content_type.as_ref().map(|media| media.full.as_str());
                if content_type.is_none_or(millrace_domain::cloud_event::is_json) {
                    parse(body)?;
                }
                self.one(headers, CloudEvent::binary(attributes, content_type, body), deadline).await
            }
            Mode::Batch => {
                idempotency::refuse_on_batch(headers)?;
                let document = parse(body)?;
                if document.kind() != Kind::Array {
                    return Err(Problem::invalid(FieldErrors::one("", "must be a JSON array of CloudEvents")));
                }
                let drafts = document.elements().map(|event| self.draft(&event, headers)).collect();
                Ok(self.many(drafts, deadline).await)
            }
            Mode::Lines => {
                idempotency::refuse_on_batch(headers)?;
                let lines = body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
                let drafts = lines.map(|line| self.draft_line(line, headers)).collect();
                Ok(self.many(drafts, deadline).await)
            }
        }
    }

    async fn one(
        &self,
        headers: &HeaderMap,
        event: Result<CloudEvent<'_>, FieldErrors>,
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        let id = idempotency::key(headers)?;
        let mut event = event.map_err(Problem::invalid)?;
        if let Some(id) = id {
            id.as_str().clone_into(&mut event.id);
        }
        self.check_size(&event.data)?;
        let submission = submission(event, headers);
        let receipt = self.write_one(&submission, deadline).await?;
        let accepted = Accepted::new("accepted", &submission.envelope.id, submission.topic, receipt);
        Ok(accepted.into_response(StatusCode::ACCEPTED))
    }

    fn draft<'a>(&self, event: &Value<'a>, headers: &HeaderMap) -> Draft<'a> {
        let checked = CloudEvent::structured(event).map_err(Problem::invalid);
        match checked.and_then(|event| self.check_size(&event.data).map(|()| event)) {
            Ok(event) => Draft::Good(submission(event, headers)),
            Err(problem) => Draft::Bad { id: readable_id(event), problem: Box::new(problem) },
        }
    }

    fn draft_line<'a>(&self, line: &'a [u8], headers: &HeaderMap) -> Draft<'a> {
        match parse(line) {
            Ok(document) => self.draft(&document.root(), headers),
            Err(problem) => Draft::Bad { id: None, problem: Box::new(problem) },
        }
    }

    /// Writes what is good, and answers for all in their order.
    async fn many(&self, drafts: Vec<Draft<'_>>, deadline: Deadline) -> Response {
        let mut submissions = Vec::with_capacity(drafts.len());
        let mut places = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match draft {
                Draft::Good(submission) => {
                    submissions.push(submission);
                    places.push(None);
                }
                Draft::Bad { id, problem } => places.push(Some((id, problem))),
            }
        }
        let reports = match deadline.bound(self.sink.write(&submissions)).await {
            Ok(reports) => reports,
            Err(_) => vec![Err(SinkError::OutcomeUnknown); submissions.len()],
        };
        let mut written = submissions.iter().zip(reports);
        let mut verdicts = Verdicts::default();
        for place in places {
            match place {
                Some((id, problem)) => verdicts.refuse(id.as_deref(), "rejected", &problem),
                None => match written.next() {
                    Some((event, Ok(receipt))) => {
                        verdicts.accept(&Accepted::new("accepted", &event.envelope.id, event.topic, receipt));
                    }
                    Some((event, Err(error))) => {
                        let id = event.envelope.id.as_str();
                        let status = if matches!(error, SinkError::TooLarge) { "rejected" } else { "failed" };
                        verdicts.refuse(Some(id), status, &Problem::unwritten(&error, id));
                    }
                    None => {}
                },
            }
        }
        verdicts.into_response()
    }
}

/// An event of a batch before it is written.
enum Draft<'a> {
    Good(Submission<'a>),
    Bad { id: Option<String>, problem: Box<Problem> },
}

/// Verdicts as they are written, and their counts.
#[derive(Default)]
struct Verdicts {
    results: Vec<u8>,
    accepted: usize,
    rejected: usize,
    failed: usize,
}

impl Verdicts {
    fn accept(&mut self, accepted: &Accepted) {
        self.separate();
        accepted.write(&mut self.results);
        self.accepted += 1;
    }

    fn refuse(&mut self, id: Option<&str>, status: &'static str, problem: &Problem) {
        self.separate();
        self.results.extend_from_slice(b"{\"id\":");
        match id {
            Some(id) => write_string(&mut self.results, id),
            None => self.results.extend_from_slice(b"null"),
        }
        self.results.extend_from_slice(b",\"status\":");
        write_string(&mut self.results, status);
        self.results.extend_from_slice(b",\"error\":");
        self.results.extend_from_slice(&serde_json::to_vec(&problem.body()).unwrap_or_else(|_| b"null".to_vec()));
        self.results.push(b'}');
        if status == "failed" {
            self.failed += 1;
        } else {
            self.rejected += 1;
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
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
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
    let takes_headers = content_type.as_ref().is_none_or(|media| millrace_domain::cloud_event::is_json(&media.full));
    if attributes.is_empty() && !takes_headers {
        let sent = content_type.map(|media| media.full).unwrap_or_default();
        let detail = format!(
            "the Content-Type {sent} is not taken without ce- headers; \
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

/// The `ce-` headers without their prefix.
fn attributes(headers: &HeaderMap) -> Result<Vec<(&str, &str)>, Problem> {
    let mut attributes = Vec::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(HTTP_HEADER_PREFIX) else { continue };
        let unreadable = |detail| Problem::invalid(FieldErrors::one(name.as_str(), detail));
        let value = value.to_str().map_err(|_| unreadable("must be ASCII, percent-encoded where it is not"))?;
        if attributes.iter().any(|(known, _)| *known == attribute) {
            return Err(unreadable("was sent more than once"));
        }
        attributes.push((attribute, value));
    }
    Ok(attributes)
}

fn submission<'a>(event: CloudEvent<'a>, headers: &HeaderMap) -> Submission<'a> {
    let id = EventId::new(event.id);
    Submission {
        topic: event.topic,
        key: Cow::Owned(event.key.text(&id).to_owned()),
        envelope: Envelope {
            id,
            event_type: event.event_type.into(),
            source: event.source.into(),
            time: event.time.unwrap_or_else(now),
            content_type: event.content_type.into(),
            traceparent: Some(traceparent(headers)),
            attributes: event.attributes,
        },
        value: event.data,
    }
}

/// The id of an event that is wrong otherwise, so that its sender can tell which one it was.
fn readable_id(event: &Value<'_>) -> Option<String> {
    event.get("id").and_then(|id| id.as_str()).map(Cow::into_owned)
}

fn parse(body: &[u8]) -> Result<Document<'_>, Problem> {
    Document::parse(body).map_err(|error| Problem::malformed(format!("not JSON: {error}")))
}
