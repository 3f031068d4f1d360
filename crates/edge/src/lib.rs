//! Millrace's HTTP edge: one [`axum::Router`] for every host.
//!
//! A request becomes a validated event, the event a record, and the answer is given when every in-sync replica has it.
//! Whatever else happens the answer is a problem (RFC 9457), and says whether a record may have been written.

mod accept;
mod batch;
mod body;
mod cloud_events;
#[cfg(feature = "database")]
mod database;
mod deadline;
mod form;
mod idempotency;
mod media;
mod memory_budget;
mod openapi;
mod problem;
mod request_id;
mod routes;
mod sink;
mod status;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;

use self::memory_budget::MemoryBudget;
use self::stored::NoDatabase;
#[cfg(feature = "database")]
pub use database::LazyDatabase;
pub use deadline::RequestDeadline;
pub use problem::{FieldProblem, Problem, ProblemBody};
pub use sink::{Ack, BoxFuture, EventRecord, KafkaSink, Sink, SinkError};
pub use status::{BrokerStatus, ConsumerStatus, Status, StatusSource, TopicStatus};
pub use stored::{
    DeliveryStatus, Lookup, LookupError, NotificationStatus, StoredDelivery, StoredEvent, StoredNotification,
};

/// What the edge needs from its host.
#[derive(Clone)]
pub struct Edge {
    sink: Arc<dyn Sink>,
    status: Arc<dyn StatusSource>,
    lookup: Arc<dyn Lookup>,
    limits: Limits,
    rooms: MemoryBudget,
}

/// Bounds on a request, in bytes and time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest value of a record.
    pub value: usize,
    /// The largest request, after decompression.
    pub request: usize,
    /// What all large requests at once may take.
    pub all_requests: usize,
    /// When a write is answered at the latest.
    pub answer_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            value: 262_144,
            request: 5 << 20,
            all_requests: 128 << 20,
            // Half a second below the promised 15 s: answers take time as well.
            answer_within: Duration::from_millis(14_500),
        }
    }
}

impl Edge {
    /// An edge over a sink for records and a source for `GET /get_status`.
    pub fn new(sink: Arc<dyn Sink>, status: Arc<dyn StatusSource>, limits: Limits) -> Self {
        Self { sink, status, lookup: Arc::new(NoDatabase), limits, rooms: MemoryBudget::new(limits.all_requests) }
    }

    /// The same, able to look up what consumers have stored.
    #[must_use]
    pub fn with_lookup(self, lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// All routes.
    pub fn router(self) -> Router {
        Router::from(routes::all())
            .fallback(routes::not_found)
            .method_not_allowed_fallback(routes::method_not_allowed)
            .layer(middleware::from_fn(request_id::assign))
            .with_state(self)
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("limits", &self.limits).finish_non_exhaustive()
    }
}
