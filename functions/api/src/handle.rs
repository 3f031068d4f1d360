//! One invocation: an HTTP request in, an HTTP response out, before the function's time-out.

use axum::response::IntoResponse as _;
use lambda_http::http::header::RETRY_AFTER;
use lambda_http::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Body, Request, RequestExt as _};
use millrace_edge::{Problem, RequestDeadline};
use tokio::time::timeout_at;

use crate::context::Context;
use crate::deadline::Deadline;
use crate::path;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a request by the edge's routes.
pub async fn handle(context: &Context, mut request: Request) -> Response<Body> {
    let origin = request.request_context_ref();
    *request.uri_mut() = path::of_route(request.uri(), origin, context.base_path.as_ref());
    let deadline = request.lambda_context_ref().map(|invocation| Deadline::before(invocation.deadline()));
    name_after_invocation(&mut request);
    let is_write = request.method() == Method::POST;

    let answer = match deadline {
        None => context.routes.clone().oneshot(request).await,
        Some(deadline) => {
            request.extensions_mut().insert(RequestDeadline(deadline.edge));
            let answer = context.routes.clone().oneshot(request);
            timeout_at(deadline.function, answer).await.unwrap_or_else(|_| Ok(late(is_write)))
        }
    };
    let Ok(answer) = answer;
    whole(answer).await
}

/// A request that brings no id gets its invocation's: the name under which Lambda's own log lines speak of it.
fn name_after_invocation(request: &mut Request) {
    let id = request.lambda_context_ref().and_then(|invocation| HeaderValue::from_str(&invocation.request_id).ok());
    if let Some(id) = id
        && !request.headers().contains_key(&X_REQUEST_ID)
    {
        request.headers_mut().insert(X_REQUEST_ID.clone(), id);
    }
}

fn late(is_write: bool) -> axum::response::Response {
    let detail = if is_write {
        "the function's time-out came first, and what was sent may or may not have been written. Sending it again with \
         the same Idempotency-Key is safe: both are the same event."
    } else {
        "the function's time-out came before the answer"
    };
    let mut answer = Problem::new(StatusCode::GATEWAY_TIMEOUT, detail).into_response();
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}

/// Lambda takes an answer as a whole.
async fn whole(answer: axum::response::Response) -> Response<Body> {
    let (head, body) = answer.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => Response::from_parts(head, Body::from(body.to_vec())),
        Err(error) => {
            tracing::error!(%error, "an answer broke off");
            let mut answer = Response::new(Body::Empty);
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}
