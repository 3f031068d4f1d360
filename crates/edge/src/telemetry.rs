//! The metrics of the HTTP edge.
//!
//! Handles are made at the first use and kept: a lookup by name and labels would cost a twentieth of a small request.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use http::{Method, StatusCode};
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::routes;

const REQUESTS: &str = "millrace_http_requests_total";
const REQUEST_DURATION: &str = "millrace_http_request_duration_seconds";
const IN_FLIGHT: &str = "millrace_http_requests_in_flight";
const BATCH_RESULTS: &str = "millrace_http_batch_results_total";
const BATCH_EVENTS: &str = "millrace_http_batch_events";
const MEMORY_USED: &str = "millrace_http_memory_used_bytes";
const MEMORY_BUDGET: &str = "millrace_http_memory_budget_bytes";

/// The label `status`: what the edge answers with, and two that stand for none of these.
const STATUSES: [&str; 18] = [
    "200",
    "202",
    "207",
    "400",
    "401",
    "403",
    "404",
    "405",
    "408",
    "413",
    "415",
    "422",
    "429",
    "500",
    "503",
    "504",
    "other",
    "cancelled",
];
const OTHER: usize = STATUSES.len() - 2;
/// The client went away before the answer.
const CANCELLED: usize = STATUSES.len() - 1;

/// The metrics of requests, by route and status. Clones share them.
#[derive(Clone)]
pub(crate) struct RequestMetrics(Arc<Routes>);

struct Routes {
    known: Vec<Route>,
    unmatched: Route,
    in_flight: Gauge,
}

/// The metrics of one route.
struct Route {
    method: &'static str,
    path: &'static str,
    by_status: [OnceLock<(Counter, Histogram)>; STATUSES.len()],
}

impl RequestMetrics {
    /// The metrics of these routes.
    pub(crate) fn of(routes: &[routes::Route]) -> Self {
        describe_counter!(
            REQUESTS,
            "HTTP requests by route and status; cancelled where the client went away before the answer"
        );
        describe_histogram!(REQUEST_DURATION, Unit::Seconds, "From the arrival of a request's head to its answer");
        describe_gauge!(IN_FLIGHT, "HTTP requests that are being answered");
        let known = routes.iter().map(|route| Route::new(route.method, route.path));
        Self(Arc::new(Routes {
            known: known.collect(),
            unmatched: Route::new("other", "unmatched"),
            in_flight: gauge!(IN_FLIGHT),
        }))
    }

    /// A request has arrived.
    pub(crate) fn begin(&self, request: &Request) -> RequestInFlight {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        // What a GET answers, its HEAD does without the body.
        let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
        let is = |route: &Route| Some(route.path) == path && route.method == method;
        self.0.in_flight.increment(1);
        RequestInFlight {
            metrics: self.clone(),
            route: self.0.known.iter().position(is),
            begun: Instant::now(),
            status: CANCELLED,
        }
    }
}

impl Routes {
    /// A known route, or what stands for all others.
    fn route(&self, index: Option<usize>) -> &Route {
        index.map_or(&self.unmatched, |index| &self.known[index])
    }
}

impl Route {
    fn new(method: &'static str, path: &'static str) -> Self {
        // From the start, at 0: a rate sees no rise in a series that begins with 1.
        for status in ["500", "503", "504"] {
            counter!(REQUESTS, "method" => method, "route" => path, "status" => status).increment(0);
        }
        Self { method, path, by_status: std::array::from_fn(|_| OnceLock::new()) }
    }

    fn with_status(&self, status: usize) -> &(Counter, Histogram) {
        self.by_status[status].get_or_init(|| {
            let labels = [("method", self.method), ("route", self.path), ("status", STATUSES[status])];
            (counter!(REQUESTS, &labels), histogram!(REQUEST_DURATION, &labels))
        })
    }
}

/// A request that is being answered; counted when it is dropped.
pub(crate) struct RequestInFlight {
    metrics: RequestMetrics,
    route: Option<usize>,
    begun: Instant,
    status: usize,
}

impl RequestInFlight {
    /// The path of its route.
    pub(crate) fn route(&self) -> &'static str {
        self.metrics.0.route(self.route).path
    }

    /// It is answered.
    pub(crate) fn answered(mut self, status: StatusCode) {
        self.status = STATUSES.iter().position(|known| *known == status.as_str()).unwrap_or(OTHER);
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let routes = &self.metrics.0;
        routes.in_flight.decrement(1);
        let (requests, duration) = routes.route(self.route).with_status(self.status);
        requests.increment(1);
        duration.record(self.begun.elapsed());
    }
}

/// The metrics of requests that may hold many events.
#[derive(Clone)]
pub(crate) struct BatchMetrics {
    accepted: Counter,
    rejected: Counter,
    failed: Counter,
    events: Histogram,
}

impl BatchMetrics {
    pub(crate) fn new() -> Self {
        describe_counter!(BATCH_RESULTS, "Events of batches by result: accepted, rejected or failed");
        describe_histogram!(BATCH_EVENTS, "Events in one batch");
        let results = |result: &'static str| counter!(BATCH_RESULTS, "result" => result);
        Self {
            accepted: results("accepted"),
            rejected: results("rejected"),
            failed: results("failed"),
            events: histogram!(BATCH_EVENTS),
        }
    }

    /// Counts the events of a batch by their results.
    #[allow(clippy::cast_precision_loss, reason = "a request holds far fewer than 2^52 events")]
    pub(crate) fn answered(&self, accepted: usize, rejected: usize, failed: usize) {
        self.accepted.increment(accepted as u64);
        self.rejected.increment(rejected as u64);
        self.failed.increment(failed as u64);
        self.events.record((accepted + rejected + failed) as f64);
    }
}

/// The gauge of the memory budget's use, in bytes.
pub(crate) fn memory_used(budget: usize) -> Gauge {
    describe_gauge!(MEMORY_BUDGET, Unit::Bytes, "Memory budget of all large requests together");
    describe_gauge!(MEMORY_USED, Unit::Bytes, "Memory that large requests take of their budget");
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
    gauge!(MEMORY_BUDGET).set(budget as f64);
    let used = gauge!(MEMORY_USED);
    used.set(0.0);
    used
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    /// Its client went away, or its deadline passed in the host.
    #[test]
    fn a_request_that_is_dropped_is_counted_as_cancelled() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        let shows = |line: &str| page.render().lines().any(|found| found == line);
        ::metrics::with_local_recorder(&recorder, || {
            let metrics = RequestMetrics::of(&routes::all());
            let request = metrics.begin(&Request::get("/health").body(Body::empty()).unwrap());
            assert!(shows("millrace_http_requests_in_flight 1"), "{}", page.render());
            drop(request);
            metrics.begin(&Request::get("/health").body(Body::empty()).unwrap()).answered(StatusCode::IM_A_TEAPOT);
        });
        for line in [
            r#"millrace_http_requests_total{method="other",route="unmatched",status="cancelled"} 1"#,
            r#"millrace_http_requests_total{method="other",route="unmatched",status="other"} 1"#,
            "millrace_http_requests_in_flight 0",
        ] {
            assert!(shows(line), "no {line} in {}", page.render());
        }
    }
}
