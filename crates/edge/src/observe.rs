//! What every request gets besides its answer: metrics, a span, and an `X-Request-Id` to correlate it with the log.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use millrace_domain::EventId;
use millrace_trace::{Span, SpanKind};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::accept::{TRACEPARENT, traceparent};
use crate::telemetry::{RequestInFlight, RequestMetrics};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a caller; a longer one, or one that is not visible ASCII, is replaced.
const LENGTH_LIMIT: usize = 128;

/// Counts each request, records its span, and sets `X-Request-Id` on the response: the caller's, or a new one.
///
/// A service of its own, and not a function for axum's middleware: that allocates twice more for a request.
#[derive(Clone)]
pub(crate) struct ObserveLayer(pub(crate) RequestMetrics);

/// An observed service.
#[derive(Clone)]
pub(crate) struct Observe<S> {
    inner: S,
    metrics: RequestMetrics,
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, metrics: self.0.clone() }
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for Observe<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Observed<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Observed<S::Future> {
        let in_flight = self.metrics.begin(&request);
        let span = begin_span(&mut request);
        let sent = request.headers().get(&X_REQUEST_ID);
        let id = sent.filter(|id| is_valid(id.as_bytes())).cloned().unwrap_or_else(random);
        Observed { answer: self.inner.call(request), observation: Some(Observation { in_flight, span, id }) }
    }
}

pin_project! {
    /// The answer to an observed request.
    pub(crate) struct Observed<F> {
        #[pin]
        answer: F,
        observation: Option<Observation>,
    }
}

/// What is known of a request until its answer.
struct Observation {
    in_flight: RequestInFlight,
    span: Span,
    id: HeaderValue,
}

impl<F: Future<Output = Result<Response, E>>, E> Future for Observed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(context));
        if let (Ok(response), Some(observation)) = (&mut answer, this.observation.take()) {
            observation.answered(response);
        }
        Poll::Ready(answer)
    }
}

impl Observation {
    fn answered(self, response: &mut Response) {
        let Self { in_flight, mut span, id } = self;
        let status = response.status();
        span.set_number("http.response.status_code", status.as_u16().into());
        if status.is_server_error() {
            span.failed(status.canonical_reason().unwrap_or_default());
            // At debug level: while the brokers are down every request fails, and the cause is logged where it occurs.
            let (route, status) = (in_flight.route(), status.as_u16());
            tracing::debug!(route, status, request_id = ?id, "request failed");
        }
        in_flight.answered(status);
        response.headers_mut().insert(X_REQUEST_ID.clone(), id);
    }
}

/// The span of a request below the caller's, which replaces it as the parent of what follows.
fn begin_span(request: &mut Request) -> Span {
    if !millrace_trace::is_active() {
        return Span::none();
    }
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    // Load balancers ask every few seconds.
    if route == "/health" {
        return Span::none();
    }
    let method = request.method().as_str();
    let mut span = Span::start(SpanKind::Server, traceparent(request.headers()), || match route {
        // Methods and paths that match nothing are anybody's text: no part of a name.
        "" => "HTTP".to_owned(),
        route => format!("{method} {route}"),
    });
    span.set_text("http.request.method", method);
    if !route.is_empty() {
        span.set_text("http.route", route);
    }
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
