//! What every request gets besides its answer: metrics, a span, and an `X-Request-Id` to correlate it with the log.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use millrace_domain::EventId;
use millrace_trace::{Span, SpanKind};

use crate::accept::{TRACEPARENT, traceparent};
use crate::telemetry::RequestMetrics;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a caller; a longer one, or one that is not visible ASCII, is replaced.
const LENGTH_LIMIT: usize = 128;

/// Counts the request, records its span, and sets `X-Request-Id` on the response: the caller's, or a new one.
pub(crate) async fn observe(State(metrics): State<RequestMetrics>, mut request: Request, next: Next) -> Response {
    let in_flight = metrics.begin(&request);
    let mut span = begin_span(&mut request);
    let sent = request.headers().get(&X_REQUEST_ID);
    let id = sent.filter(|id| is_valid(id.as_bytes())).cloned().unwrap_or_else(random);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    let status = response.status();
    in_flight.answered(status);
    span.set_number("http.response.status_code", status.as_u16().into());
    if status.is_server_error() {
        span.failed(status.canonical_reason().unwrap_or_default());
        // At debug level: while the brokers are down every request fails, and the cause is logged where it occurs.
        tracing::debug!(%method, path = uri.path(), status = status.as_u16(), request_id = ?id, "request failed");
    }
    response.headers_mut().insert(X_REQUEST_ID.clone(), id);
    response
}

/// The span of a request below the caller's, which replaces it as the parent of what follows.
fn begin_span(request: &mut Request) -> Span {
    if !millrace_trace::is_active() {
        return Span::none();
    }
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let method = request.method().as_str();
    let mut span = Span::start(SpanKind::Server, traceparent(request.headers()), || {
        format!("{method} {route}").trim_end().to_owned()
    });
    span.set_text("http.request.method", method);
    span.set_text("http.route", route);
    let parent = span.context().and_then(|context| HeaderValue::from_str(&context.to_string()).ok());
    if let Some(parent) = parent {
        request.headers_mut().insert(TRACEPARENT, parent);
    }
    span
}

fn is_valid(sent: &[u8]) -> bool {
    (1..=LENGTH_LIMIT).contains(&sent.len()) && sent.iter().all(u8::is_ascii_graphic)
}

fn random() -> HeaderValue {
    // A UUID is always a valid header.
    HeaderValue::from_str(EventId::random().as_str()).unwrap_or(HeaderValue::from_static("unknown"))
}
