//! `POST /logs`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::request::Parts;

use crate::Edge;
use crate::accept::RequestContext;
#[cfg(feature = "openapi")]
use crate::openapi::document::LogProblems;
use crate::problem::Problem;
#[cfg(feature = "openapi")]
use crate::{logs::LogsAnswer, problem::ProblemBody};

/// Takes log lines: newline-delimited JSON, a JSON array, or plain text.
///
/// A line or element that is a JSON object is written to `raw-logs` as it was sent, whatever its members; any other becomes
/// `{"message": …}`. Blank lines are skipped.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/logs",
    operation_id = "takeLogs",
    params(
        ("service" = Option<String>, Query, description = "The program that wrote the lines: the records' key"),
        ("X-Service" = Option<String>, Header, description = "The same, where the query does not name it; else `unknown`"),
    ),
    request_body(
        description = "The lines",
        content(
            (String = "application/x-ndjson", example = json!("{\"level\":\"info\",\"msg\":\"paid\"}\n")),
            (serde_json::Value = "application/json", example = json!([{"level": "info", "msg": "paid"}])),
            (String = "text/plain", example = json!("2026-01-31 12:00:00 INFO paid\n")),
        ),
    ),
    responses(
        LogProblems,
        (status = 202, description = "Acknowledged by all in-sync replicas", body = LogsAnswer),
        (status = 207, description = "Some were accepted", body = LogsAnswer),
        (status = 422, description = "No line can be a record", content((ProblemBody = "application/problem+json"), (LogsAnswer = "application/json"))),
        (status = 503, description = "Nothing was written, or no record was acknowledged", headers(("Retry-After" = i32, description = "Seconds after which to retry")), content((ProblemBody = "application/problem+json"), (LogsAnswer = "application/json"))),
    ),
))]
pub(super) async fn take(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let deadline = edge.deadline(request.extensions());
    let (Parts { uri, headers, extensions, .. }, body) = request.into_parts();
    let contents = edge.read(&headers, body, deadline).await?;
    let context = RequestContext::of(&headers, &extensions);
    edge.logs(&uri, &headers, &context, &contents.bytes, deadline).await
}
