//! Millrace's HTTP edge: one [`axum::Router`] for every host.
//!
//! A request becomes a validated event, the event a record; the response follows the acknowledgement of all in-sync
//! replicas. Any other response is a problem (RFC 9457) that states whether a record may have been written.

mod accept;
mod access;
mod batch;
mod body;
mod cloud_events;
#[cfg(feature = "database")]
mod database;
mod deadline;
mod form;
mod idempotency;
mod logs;
mod media;
mod memory_budget;
mod observe;
mod openapi;
mod otlp;
mod problem;
mod routes;
mod sink;
mod status;
mod stored;
mod telemetry;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use self::memory_budget::MemoryBudget;
use self::observe::ObserveLayer;
#[cfg(feature = "openapi")]
pub use self::openapi::document::render as render_openapi;
use self::stored::NoDatabase;
use self::telemetry::{BatchMetrics, RequestMetrics};
pub use accept::SOURCE;
pub use access::{Access, SCOPES, Scopes, Sender, audit_refusal, guard};
#[cfg(feature = "database")]
pub use database::LazyDatabase;
pub use deadline::RequestDeadline;
pub use problem::{FieldProblem, Problem, ProblemBody};
pub use routes::method_not_allowed;
pub use sink::{Ack, BoxFuture, EventRecord, KafkaSink, Sink, SinkError};
pub use status::{BrokerStatus, ConsumerStatus, Status, StatusSource, TopicStatus};
pub use stored::{
    DeliveryStatus, Lookup, LookupError, NotificationStatus, StoredDelivery, StoredEvent, StoredNotification,
};

/// The edge: its ports (supplied by the host), its limits and its memory budget.
#[derive(Clone)]
pub struct Edge {
    sink: Arc<dyn Sink>,
    status: Arc<dyn StatusSource>,
    lookup: Arc<dyn Lookup>,
    limits: Limits,
    memory_budget: MemoryBudget,
    batches: BatchMetrics,
    access: Option<Arc<dyn Access>>,
}

/// Bounds on a request, in bytes and time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest value of a record.
    pub value: usize,
    /// Largest request, after decompression.
    pub request: usize,
    /// Memory budget of all concurrent large requests.
    pub all_requests: usize,
    /// Time-out of a write, from the arrival of its headers.
    pub answer_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            value: 262_144,
            request: 5 << 20,
            all_requests: 128 << 20,
            // Half a second below the documented 15 s: sending the response takes time as well.
            answer_within: Duration::from_millis(14_500),
        }
    }
}

impl Edge {
    /// An edge over a sink for records and a source for `GET /get_status`. A metrics recorder must have been installed
    /// before, or its metrics are not recorded.
    pub fn new(sink: Arc<dyn Sink>, status: Arc<dyn StatusSource>, limits: Limits) -> Self {
        Self {
            sink,
            status,
            lookup: Arc::new(NoDatabase),
            limits,
            memory_budget: MemoryBudget::new(limits.all_requests),
            batches: BatchMetrics::new(),
            access: None,
        }
    }

    /// Asks who may call what before each request. Without it, all may call everything.
    #[must_use]
    pub fn with_access(self, access: Arc<dyn Access>) -> Self {
        Self { access: Some(access), ..self }
    }

    /// Adds the lookup of stored events and notifications.
    #[must_use]
    pub fn with_lookup(self, lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// All routes.
    pub fn router(self) -> Router {
        let all = routes::all();
        let metrics = RequestMetrics::of(&all);
        let router = all
            .into_iter()
            .fold(Router::new(), |router, route| router.route(route.path, route.handler))
            .fallback(routes::not_found)
            .method_not_allowed_fallback(routes::method_not_allowed);
        let router = match &self.access {
            Some(access) => guard(router, Arc::clone(access)),
            None => router,
        };
        router.layer(ObserveLayer(metrics)).with_state(self)
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("limits", &self.limits).finish_non_exhaustive()
    }
}
