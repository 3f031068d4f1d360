//! What every request gets besides its answer: metrics, and an `X-Request-Id` to correlate it with the log.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use millrace_domain::EventId;

use crate::telemetry::RequestMetrics;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a caller; a longer one, or one that is not visible ASCII, is replaced.
const LENGTH_LIMIT: usize = 128;

/// Counts the request, and sets `X-Request-Id` on the response: the caller's, or a new one.
pub(crate) async fn observe(State(metrics): State<RequestMetrics>, request: Request, next: Next) -> Response {
    let in_flight = metrics.begin(&request);
    let sent = request.headers().get(&X_REQUEST_ID);
    let id = sent.filter(|id| is_valid(id.as_bytes())).cloned().unwrap_or_else(random);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    let status = response.status();
    in_flight.answered(status);
    if status.is_server_error() {
        // At debug level: while the brokers are down every request fails, and the cause is logged where it occurs.
        tracing::debug!(%method, path = uri.path(), status = status.as_u16(), request_id = ?id, "request failed");
    }
    response.headers_mut().insert(X_REQUEST_ID.clone(), id);
    response
}

fn is_valid(sent: &[u8]) -> bool {
    (1..=LENGTH_LIMIT).contains(&sent.len()) && sent.iter().all(u8::is_ascii_graphic)
}

fn random() -> HeaderValue {
    // A UUID is always a valid header.
    HeaderValue::from_str(EventId::random().as_str()).unwrap_or(HeaderValue::from_static("unknown"))
}
