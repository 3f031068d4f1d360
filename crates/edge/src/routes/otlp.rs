//! `POST /v1/logs`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;

use crate::Edge;
use crate::accept::RequestContext;
use crate::otlp::{ANSWER_WITHIN, Encoding};
use crate::problem::Problem;

/// Its path.
pub(super) const PATH: &str = "/v1/logs";

/// The answer to a request that is not admitted.
pub(super) fn refusal(headers: &HeaderMap, problem: &Problem) -> Response {
    Encoding::of(headers).unwrap_or(Encoding::Json).refuse(problem)
}

/// Takes logs by OTLP/HTTP: an `ExportLogsServiceRequest` in protobuf or JSON, each log record a record of `raw-logs`.
///
/// Answers are OTLP's: `ExportLogsServiceResponse`, with `partialSuccess` where records were refused, and `Status` for errors, in
/// the request's encoding, within four seconds.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/v1/logs",
    operation_id = "takeOtlpLogs",
    request_body(
        description = "The logs, as an OpenTelemetry SDK or collector sends them",
        content(
            (serde_json::Value = "application/json", example = json!({"resourceLogs": [{
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
                "scopeLogs": [{"logRecords": [{"timeUnixNano": "1769860800000000000", "severityNumber": 9, "body": {"stringValue": "paid"}}]}],
            }]})),
        ),
    ),
    responses(
        (status = 200, description = "Acknowledged by all in-sync replicas, but for those in `partialSuccess`", content((serde_json::Value = "application/json"), (String = "application/x-protobuf"))),
        (status = 400, description = "No request of OTLP, or its compression is corrupt", content((serde_json::Value = "application/json"), (String = "application/x-protobuf"))),
        (status = 413, description = "More than 5 MiB once decompressed", content((serde_json::Value = "application/json"), (String = "application/x-protobuf"))),
        (status = 415, description = "Unsupported media type or content coding", content((serde_json::Value = "application/json"), (String = "application/x-protobuf"))),
        (status = 429, description = "Too many requests", headers(("Retry-After" = i32, description = "Seconds after which to retry")), content((serde_json::Value = "application/json"), (String = "application/x-protobuf"))),
        (status = 503, description = "Not all was acknowledged; sent again, records may be written twice", headers(("Retry-After" = i32, description = "Seconds after which to retry")), content((serde_json::Value = "application/json"), (String = "application/x-protobuf"))),
    ),
))]
pub(super) async fn take(State(edge): State<Edge>, request: Request) -> Result<Response, Problem> {
    let deadline = edge.deadline(request.extensions()).at_most(ANSWER_WITHIN);
    let (Parts { headers, extensions, .. }, body) = request.into_parts();
    let encoding = match Encoding::of(&headers) {
        Ok(encoding) => encoding,
        Err(problem) => return Ok(Encoding::Json.refuse(&problem)),
    };
    let answer = async {
        let contents = edge.read(&headers, body, deadline).await?;
        let context = RequestContext::of(&headers, &extensions);
        edge.otlp_logs(encoding, &context, &contents.bytes, deadline).await
    };
    Ok(answer.await.unwrap_or_else(|problem| encoding.refuse(&problem)))
}
