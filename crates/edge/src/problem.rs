//! Problem details for HTTP APIs (RFC 9457).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use millrace_domain::{ErrorClass, ValidationErrors};
use serde::Serialize;

use crate::sink::SinkError;

/// The media type of problems.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// An error response.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Option<ValidationErrors>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The JSON of a problem.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Problem, example = json!({
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
    "detail": "/user_id is required: a non-empty string or an integer",
    "errors": [{"pointer": "/user_id", "detail": "is required: a non-empty string or an integer"}],
})))]
pub struct ProblemBody {
    /// `about:blank`: the status code describes the problem.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status code's reason phrase.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The error of this request.
    detail: String,
    /// The errors of single fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

/// The error of one field.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldProblem {
    /// A JSON pointer (RFC 6901) into the body, or the name of a header.
    pointer: String,
    /// The error.
    detail: String,
}

/// Once an answer has so many bytes of items, the problems of further ones are abbreviated.
const ITEMS_DETAIL_LIMIT: usize = 1 << 20;

/// `Retry-After` in seconds, by cause.
const RETRY_AFTER_OVERLOAD: u32 = 1;
pub(crate) const RETRY_AFTER_FAILURE: u32 = 2;

impl Problem {
    /// A problem with a status and a detail.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), errors: None, headers: Vec::new() }
    }

    /// The body does not match its media type: 400.
    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The body is too large: 413.
    pub(crate) fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// The event is invalid: 422.
    pub(crate) fn invalid(errors: ValidationErrors) -> Self {
        let detail = errors.to_string();
        Self { errors: Some(errors), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// The route does not support the media type: 415.
    pub(crate) fn unsupported(detail: impl Into<Cow<'static, str>>, accepted: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with_header(ACCEPT, HeaderValue::from_static(accepted))
    }

    /// Too many requests at once: 429.
    pub(crate) fn overloaded(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).with_header(RETRY_AFTER, RETRY_AFTER_OVERLOAD.into())
    }

    /// Nothing was written, and a retry may help: 503.
    pub(crate) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_header(RETRY_AFTER, RETRY_AFTER_FAILURE.into())
    }

    /// The outcome is unknown; a retry with the same `Idempotency-Key` is safe: 504.
    pub(crate) fn outcome_unknown(id: &str) -> Self {
        let detail = format!(
            "Kafka did not acknowledge in time, and the event may or may not have been written. Sending it again \
             under the same id (with the same Idempotency-Key, {id}) is safe: both are the same event."
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, detail).with_header(RETRY_AFTER, RETRY_AFTER_FAILURE.into())
    }

    /// The problem of an event that was not acknowledged.
    pub(crate) fn unwritten(error: &SinkError, id: &str) -> Self {
        match error {
            SinkError::OutcomeUnknown => Self::outcome_unknown(id),
            SinkError::TooLarge => Self::too_large("the event exceeds the topic's max.message.bytes"),
            SinkError::NotWritten { class: ErrorClass::Fatal, reason } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("nothing was written: {reason}"))
            }
            SinkError::NotWritten { reason, .. } => Self::unavailable(format!("nothing was written: {reason}")),
        }
    }

    /// The JSON of this problem as one item of an answer that has `written` bytes of items already: where these are many, with
    /// the detail `omitted` in the place of its own, and without the errors of single fields.
    pub(crate) fn item_json(&self, written: usize, omitted: &'static str) -> Vec<u8> {
        let body = if written < ITEMS_DETAIL_LIMIT { self.body() } else { Self::new(self.status, omitted).body() };
        serde_json::to_vec(&body).unwrap_or_else(|_| b"null".to_vec())
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The headers of its answer, beside the media type.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// What went wrong.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The JSON of this problem.
    pub fn body(&self) -> ProblemBody {
        let field_problem = |error: &millrace_domain::FieldError| FieldProblem {
            pointer: error.pointer.clone(),
            detail: error.detail.clone(),
        };
        ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.clone().into_owned(),
            errors: self.errors.iter().flat_map(ValidationErrors::as_slice).map(field_problem).collect(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let content_type = (CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        let mut response = (self.status, [content_type], body).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}
