//! Request ids: every answer carries one, so that a caller and a log line can be brought together.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use millrace_domain::EventId;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A caller's id that is longer, or not visible ASCII, is not taken over.
const LONGEST: usize = 128;

/// Keeps the caller's `X-Request-Id` or makes one, and puts it on the answer.
pub(crate) async fn assign(request: Request, next: Next) -> Response {
    let sent = request.headers().get(&X_REQUEST_ID);
    let id = sent.filter(|id| is_id(id.as_bytes())).cloned().unwrap_or_else(random);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    let status = response.status();
    if status.is_server_error() {
        // While brokers are down this is every request: the cause is logged where it is met.
        tracing::debug!(%method, path = uri.path(), status = status.as_u16(), request_id = ?id, "a request failed");
    }
    response.headers_mut().insert(X_REQUEST_ID.clone(), id);
    response
}

fn is_id(sent: &[u8]) -> bool {
    (1..=LONGEST).contains(&sent.len()) && sent.iter().all(u8::is_ascii_graphic)
}

fn random() -> HeaderValue {
    // A UUID is always a valid header.
    HeaderValue::from_str(EventId::random().as_str()).unwrap_or(HeaderValue::from_static("unknown"))
}
