//! Log lines: each becomes a record of `raw-logs`.
//!
//! A log line is anybody's JSON, or anybody's text: a line that is a JSON object is written as it was sent, and any other
//! becomes `{"message": …}`. What it means is worked out in the lake.

use std::borrow::Cow;

use axum::extract::Query;
use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, StatusCode, Uri};
use millrace_domain::{EventId, check_key, event};
use millrace_json::lenient::{Elements, Kind, Pairs, Value};
use millrace_json::write_string;
#[cfg(feature = "openapi")]
use serde::Serialize;

use crate::accept::RequestContext;
use crate::batch::counted;
use crate::deadline::Deadline;
use crate::memory_budget::Portion;
#[cfg(feature = "openapi")]
use crate::problem::ProblemBody;
use crate::problem::{Problem, RETRY_AFTER_FAILURE};
use crate::sink::{EventRecord, SinkError};
use crate::{Edge, idempotency, media};

/// Names the service, unless the query does.
const SERVICE_HEADER: HeaderName = HeaderName::from_static("x-service");

/// Longest name of a service, in bytes.
const SERVICE_LIMIT: usize = 255;

/// Most lines of a request.
const LINES_LIMIT: usize = 100_000;

/// Memory that a record takes, about, besides the bytes of the request.
const MEMORY_PER_RECORD: usize = 1024;

/// Memory is reserved for this many records at a time.
const RECORDS_PER_RESERVATION: usize = 64;

/// What became of the lines.
#[cfg(feature = "openapi")]
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"accepted": 2, "rejected": 0, "failed": 0, "errors": []}))]
#[allow(dead_code)] // the schema of what `Outcome` writes
pub(crate) struct LogsAnswer {
    /// Number of records acknowledged by all in-sync replicas.
    accepted: usize,
    /// Number of lines that cannot be records; a retry does not help.
    rejected: usize,
    /// Number of records without an acknowledgement; a retry may help, and may write records again.
    failed: usize,
    /// The lines that are not accepted.
    errors: Vec<LineError>,
}

/// A line that is not accepted.
#[cfg(feature = "openapi")]
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[allow(dead_code)]
pub(crate) struct LineError {
    /// Its number in the body, or the element's in the array, from 1.
    line: usize,
    /// `rejected`: it cannot be a record; `failed`: it was not acknowledged and may be retried.
    status: &'static str,
    /// The reason.
    error: ProblemBody,
}

/// The records of a request, and the lines that are none.
struct Lines<'a, 'e> {
    records: Vec<EventRecord<'a>>,
    /// The number of each record's line.
    numbers: Vec<usize>,
    outcome: Outcome,
    memory: Portion<'e>,
}

impl Edge {
    /// Answers `POST /logs`.
    pub(crate) async fn logs(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        context: &RequestContext,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        idempotency::refuse_on_batch(headers)?;
        let is_json = media::require_logs(headers)?;
        let service = service(uri, headers)?;
        let mut lines = Lines {
            records: Vec::new(),
            numbers: Vec::new(),
            outcome: Outcome::default(),
            memory: self.memory_budget.portion(),
        };
        if is_json && body.trim_ascii_start().starts_with(b"[") {
            let text = str::from_utf8(body).map_err(|_| Problem::malformed("not UTF-8"))?;
            self.array(text, &service, context, &mut lines)?;
        } else if let Some(object) = is_json.then(|| object_of_lines(body)).flatten() {
            self.add(1, object.into(), &service, context, &mut lines)?;
        } else {
            self.lines(body, &service, context, &mut lines)?;
        }
        let Lines { mut records, numbers, mut outcome, memory: _memory } = lines;
        let reports = self.write_all(&mut records, deadline).await;
        for (number, report) in numbers.into_iter().zip(reports) {
            match report {
                Ok(_) => outcome.accepted += 1,
                Err(error) => outcome.unwritten(number, &error),
            }
        }
        self.batches.answered(outcome.accepted, outcome.rejected, outcome.failed);
        Ok(outcome.into_response())
    }

    /// The elements of an array. An array that is no JSON is refused as a whole.
    fn array<'a>(
        &self,
        text: &'a str,
        service: &'a str,
        context: &'a RequestContext,
        lines: &mut Lines<'a, '_>,
    ) -> Result<(), Problem> {
        for (index, element) in Elements::open(text).into_iter().flatten().enumerate() {
            let element =
                element.map_err(|at| Problem::malformed(format!("not JSON: the array is broken at byte {at}")))?;
            self.add(index + 1, value_of(element), service, context, lines)?;
        }
        Ok(())
    }

    fn lines<'a>(
        &self,
        body: &'a [u8],
        service: &'a str,
        context: &'a RequestContext,
        lines: &mut Lines<'a, '_>,
    ) -> Result<(), Problem> {
        let mut pairs = Pairs::default();
        for (index, line) in body.split(|&byte| byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match str::from_utf8(line) {
                Ok(line) => self.add(index + 1, record_value(line, &mut pairs), service, context, lines)?,
                Err(_) => lines.outcome.rejected(index + 1, &Problem::malformed("the line is not UTF-8")),
            }
        }
        Ok(())
    }

    fn add<'a>(
        &self,
        number: usize,
        value: Cow<'a, [u8]>,
        service: &'a str,
        context: &'a RequestContext,
        lines: &mut Lines<'a, '_>,
    ) -> Result<(), Problem> {
        if let Err(problem) = self.check_size(&value) {
            lines.outcome.rejected(number, &problem);
            return Ok(());
        }
        let count = lines.records.len();
        if count == LINES_LIMIT {
            return Err(Problem::too_large(format!("the request has more than {LINES_LIMIT} lines")));
        }
        if count.is_multiple_of(RECORDS_PER_RESERVATION) {
            lines.memory.grow_to((count + RECORDS_PER_RESERVATION) * MEMORY_PER_RECORD)?;
        }
        lines.numbers.push(number);
        lines.records.push(context.to_record(event::LOG, EventId::random(), service.into(), value));
        Ok(())
    }
}

/// The service that the query or the header names.
fn service<'a>(uri: &Uri, headers: &'a HeaderMap) -> Result<Cow<'a, str>, Problem> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| Problem::malformed(format!("the query is malformed: {error}")))?;
    let named = pairs.into_iter().find(|(name, value)| name == "service" && !value.is_empty());
    let service: Cow<'a, str> = match (named, headers.get(SERVICE_HEADER)) {
        (Some((_, named)), _) => named.into(),
        (None, Some(header)) => {
            let text = str::from_utf8(header.as_bytes()).map_err(|_| Problem::malformed("X-Service is not UTF-8"))?;
            if text.is_empty() { event::UNKNOWN_SERVICE.into() } else { text.into() }
        }
        (None, None) => event::UNKNOWN_SERVICE.into(),
    };
    if service.len() > SERVICE_LIMIT {
        return Err(Problem::malformed(format!("the service's name is longer than {SERVICE_LIMIT} bytes")));
    }
    // A key as others are: two services that look the same would be two.
    check_key(&service).map_err(|error| Problem::malformed(format!("the service's name {error}")))?;
    Ok(service)
}

/// A body that is one object, printed on several lines.
fn object_of_lines(body: &[u8]) -> Option<&[u8]> {
    let body = body.trim_ascii();
    let first = body.split(|&byte| byte == b'\n').next()?;
    let mut pairs = Pairs::default();
    let mut is_object = |bytes| str::from_utf8(bytes).is_ok_and(|text| pairs.read(text));
    (first.len() < body.len() && body.starts_with(b"{") && !is_object(first) && is_object(body)).then_some(body)
}

/// A line's value: the object that it is, or its text.
fn record_value<'a>(line: &'a str, pairs: &mut Pairs) -> Cow<'a, [u8]> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if pairs.read(line) { line.trim_ascii().as_bytes().into() } else { message(line).into() }
}

/// An element's value: the object that it is, or its text.
fn value_of(element: Value<'_>) -> Cow<'_, [u8]> {
    match element.kind {
        Kind::Object => element.raw.as_bytes().into(),
        // Written as it was sent, escapes and all.
        Kind::String => [b"{\"message\":\"".as_slice(), element.raw.as_bytes(), b"\"}"].concat().into(),
        _ => message(element.raw).into(),
    }
}

fn message(text: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len() + 16);
    value.extend_from_slice(b"{\"message\":");
    write_string(&mut value, text);
    value.push(b'}');
    value
}

/// Counts, and the lines that are not accepted, as JSON.
#[derive(Default)]
struct Outcome {
    accepted: usize,
    rejected: usize,
    failed: usize,
    errors: Vec<u8>,
}

impl Outcome {
    fn rejected(&mut self, number: usize, problem: &Problem) {
        self.rejected += 1;
        self.error(number, "rejected", problem);
    }

    fn unwritten(&mut self, number: usize, error: &SinkError) {
        let problem = match error {
            SinkError::OutcomeUnknown => {
                let detail =
                    "not acknowledged in time, so the outcome is unknown: sent again, the line may be written twice";
                Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
            }
            error => Problem::unwritten(error, ""),
        };
        if matches!(error, SinkError::TooLarge) {
            self.rejected(number, &problem);
        } else {
            self.failed += 1;
            self.error(number, "failed", &problem);
        }
    }

    fn error(&mut self, number: usize, status: &str, problem: &Problem) {
        if !self.errors.is_empty() {
            self.errors.push(b',');
        }
        let problem = problem.item_json(self.errors.len(), "details omitted: too many lines have errors");
        self.errors.extend_from_slice(format!(r#"{{"line":{number},"status":"{status}","error":"#).as_bytes());
        self.errors.extend_from_slice(&problem);
        self.errors.push(b'}');
    }

    fn status(&self) -> StatusCode {
        match (self.accepted, self.rejected, self.failed) {
            (_, 0, 0) => StatusCode::ACCEPTED,
            (0, _, 0) => StatusCode::UNPROCESSABLE_ENTITY,
            (0, 0, _) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::MULTI_STATUS,
        }
    }

    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = counted(status, [self.accepted, self.rejected, self.failed], "errors", &self.errors);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_FAILURE.into());
        }
        response
    }
}
