//! One invocation: an HTTP request and its response, before the function's time-out.

use axum::response::IntoResponse as _;
use lambda_http::http::header::RETRY_AFTER;
use lambda_http::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Body, Request, RequestExt as _};
use millrace_edge::{Problem, RequestDeadline};
use millrace_host::telemetry::emf;
use tokio::time::timeout_at;

use crate::context::Context;
use crate::deadline::Deadline;
use crate::path;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a request with the edge's routes.
pub async fn handle(context: &Context, mut request: Request) -> Response<Body> {
    let origin = request.request_context_ref();
    *request.uri_mut() = path::of_route(request.uri(), origin, context.base_path.as_ref());
    let deadline = request.lambda_context_ref().map(|invocation| Deadline::before(invocation.deadline()));
    set_request_id(&mut request);
    let is_write = request.method() == Method::POST;

    let answer = match deadline {
        None => context.routes.clone().oneshot(request).await,
        Some(deadline) => {
            request.extensions_mut().insert(RequestDeadline(deadline.edge));
            let answer = context.routes.clone().oneshot(request);
            timeout_at(deadline.function, answer).await.unwrap_or_else(|_| Ok(timed_out(is_write)))
        }
    };
    let Ok(answer) = answer;
    let answer = buffered(answer).await;
    // Now, not later: after the answer the environment may be frozen, or gone.
    emf::flush();
    answer
}

/// Sets the request id, where the caller sent none, to the invocation's, which Lambda's own log lines have.
fn set_request_id(request: &mut Request) {
    let id = request.lambda_context_ref().and_then(|invocation| HeaderValue::from_str(&invocation.request_id).ok());
    if let Some(id) = id
        && !request.headers().contains_key(&X_REQUEST_ID)
    {
        request.headers_mut().insert(X_REQUEST_ID.clone(), id);
    }
}

fn timed_out(is_write: bool) -> axum::response::Response {
    let detail = if is_write {
        "the function timed out, and the event may or may not have been written. A retry with the same Idempotency-Key \
         is safe: both are the same event."
    } else {
        "the function timed out before the response"
    };
    let mut answer = Problem::new(StatusCode::GATEWAY_TIMEOUT, detail).into_response();
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}

/// Buffers the whole response: the function does not stream.
async fn buffered(answer: axum::response::Response) -> Response<Body> {
    let (head, body) = answer.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => Response::from_parts(head, Body::from(body.to_vec())),
        Err(error) => {
            tracing::error!(%error, "reading the response body failed");
            let mut answer = Response::new(Body::Empty);
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}
