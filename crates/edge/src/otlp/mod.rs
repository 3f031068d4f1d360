//! OTLP/HTTP logs: each log record becomes a record of `raw-logs`.
//!
//! Source: OTLP 1.10, "OTLP/HTTP". The SDKs' exporters have some ten seconds for an export with all its retries, and resend
//! on 429, 502, 503 and 504 alone: answers come within four seconds, a passing fault is 503 with a short `Retry-After`, and
//! never 504, on which one of them ignores that header. A record that is refused is a partial success, which most of them
//! do not tell their users: it is counted and logged here.

mod lenient;
mod model;
mod record;
mod rough;

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use millrace_domain::{EventId, check_key, event};
use prost::Message;
use serde::Serialize;

use self::model::{AnyValue, Request, Resource, Value};
use crate::Edge;
use crate::accept::RequestContext;
use crate::deadline::Deadline;
use crate::media;
use crate::problem::Problem;
use crate::sink::SinkError;

/// How long an answer may take.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_millis(3_500);

/// Seconds after which to send again: longer ones make most SDKs give up.
const RETRY_AFTER_SECONDS: u32 = 2;

/// The key of records whose service is not named, as OpenTelemetry names it.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// Memory that a record takes, about, besides the bytes of the request.
const MEMORY_PER_RECORD: usize = 2048;

/// The body's encoding; answers have the request's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// The encoding that the request names.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        media::require_otlp(headers).map(|is_json| if is_json { Self::Json } else { Self::Protobuf })
    }

    fn respond(self, status: StatusCode, message: &(impl Message + Serialize)) -> Response {
        let (media_type, body) = match self {
            Self::Protobuf => (media::PROTOBUF, message.encode_to_vec()),
            Self::Json => (media::JSON, serde_json::to_vec(message).unwrap_or_else(|_| b"{}".to_vec())),
        };
        (status, [(CONTENT_TYPE, HeaderValue::from_static(media_type))], body).into_response()
    }

    /// The answer to a request that is refused, or may be sent again.
    pub(crate) fn refuse(self, problem: &Problem) -> Response {
        // A time-out is answered as what may be sent again.
        let status = match problem.status() {
            StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => StatusCode::SERVICE_UNAVAILABLE,
            status => status,
        };
        let code = if status.is_client_error() { INVALID_ARGUMENT } else { UNAVAILABLE };
        let status_message = model::Status { code, message: problem.detail().to_owned() };
        let mut response = self.respond(status, &status_message);
        response.headers_mut().extend(problem.headers().iter().cloned());
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        response
    }
}

/// Codes of `google.rpc.Code`.
const INVALID_ARGUMENT: i32 = 3;
const UNAVAILABLE: i32 = 14;

impl Edge {
    /// Answers `POST /v1/logs`.
    pub(crate) async fn otlp_logs(
        &self,
        encoding: Encoding,
        context: &RequestContext,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Response, Problem> {
        let mut rejected = Rejected::default();
        let request = match encoding {
            Encoding::Protobuf => Request::decode(body)
                .map_err(|error| Problem::malformed(format!("not an ExportLogsServiceRequest: {error}")))?,
            Encoding::Json if body.trim_ascii().is_empty() => Request::default(),
            // serde would read an array as the fields in their order.
            Encoding::Json if !body.trim_ascii_start().starts_with(b"{") => {
                return Err(Problem::malformed("not an ExportLogsServiceRequest in JSON: it must be an object"));
            }
            Encoding::Json => serde_json::from_slice(body)
                .or_else(|_| rough::read(body, &mut rejected))
                .map_err(|error| Problem::malformed(format!("not an ExportLogsServiceRequest in JSON: {error}")))?,
        };
        let scope_logs = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
        let count = rejected.count + scope_logs.map(|logs| logs.log_records.len()).sum::<usize>();
        let mut memory = self.memory_budget.portion();
        memory.grow_to(count * MEMORY_PER_RECORD)?;
        let mut records = Vec::with_capacity(count);
        let now = context.time();
        for logs in &request.resource_logs {
            let service = service(logs.resource.as_ref());
            for scoped in &logs.scope_logs {
                for log in &scoped.log_records {
                    let value = record::write(log, scoped.scope.as_ref(), logs.resource.as_ref(), &now);
                    match self.check_size(&value) {
                        Ok(()) => {
                            records.push(context.to_record(
                                event::LOG,
                                EventId::random(),
                                service.into(),
                                value.into(),
                            ));
                        }
                        Err(problem) => rejected.add(&problem),
                    }
                }
            }
        }
        let reports = self.write_all(&mut records, deadline).await;
        let mut failed = None;
        let mut failures = 0;
        for report in reports {
            match report {
                Ok(_) => {}
                Err(error @ SinkError::TooLarge) => rejected.add(&Problem::unwritten(&error, "")),
                Err(error) => {
                    failures += 1;
                    failed.get_or_insert(error);
                }
            }
        }
        self.batches.answered(count - rejected.count - failures, rejected.count, failures);
        if let Some(error) = failed {
            // All are sent again: at least once.
            return Err(Problem::unavailable(format!(
                "{failures} of {count} log records were not acknowledged: {}",
                error.reason()
            )));
        }
        let partial_success = rejected.report(count);
        Ok(encoding.respond(StatusCode::OK, &model::Response { partial_success }))
    }
}

/// Records that are refused for good.
#[derive(Default)]
struct Rejected {
    count: usize,
    reason: String,
}

impl Rejected {
    fn add(&mut self, problem: &Problem) {
        self.count += 1;
        if self.reason.is_empty() {
            problem.detail().clone_into(&mut self.reason);
        }
    }

    /// The partial success, which is logged as well: most senders tell nobody.
    fn report(self, count: usize) -> Option<model::PartialSuccess> {
        if self.count == 0 {
            return None;
        }
        tracing::warn!(rejected = self.count, sent = count, reason = %self.reason, "log records rejected");
        let rejected_log_records = i64::try_from(self.count).unwrap_or(i64::MAX);
        Some(model::PartialSuccess { rejected_log_records, error_message: self.reason })
    }
}

/// The resource's `service.name`, where it can be a key.
fn service(resource: Option<&Resource>) -> &str {
    let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
    let name = attributes.iter().find(|attribute| attribute.key == "service.name");
    match name.and_then(|name| name.value.as_ref()) {
        Some(AnyValue { value: Some(Value::Text(name)) }) if check_key(name).is_ok() => name,
        _ => UNKNOWN_SERVICE,
    }
}
