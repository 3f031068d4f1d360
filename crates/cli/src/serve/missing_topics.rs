//! Reports topics that the edge writes to and the broker does not have: `serve` creates none, and names the command
//! that does.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_domain::event::EVENT_TYPES;
use millrace_edge::{Ack, BoxFuture, EventRecord, KafkaSink, Sink, SinkError};
use millrace_kafka::admin::{AdminClient, ClusterMetadata};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Time-out of the metadata request at the start.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Time-out of the metadata request after a failed write. Together with the write it stays below the time-out of a
/// response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long metadata is cached: many failed writes cause one request.
const METADATA_MAX_AGE: Duration = Duration::from_secs(1);

/// A sink whose errors name a missing topic, and the command that creates it.
pub(super) struct TopicCheck {
    inner: KafkaSink,
    cluster: AdminClient,
    bootstrap_servers: String,
    /// The missing topics, and when they were fetched.
    cached: Mutex<Option<(Instant, BTreeSet<&'static str>)>>,
}

impl TopicCheck {
    pub(super) fn new(inner: KafkaSink, cluster: AdminClient, bootstrap_servers: String) -> Self {
        Self { inner, cluster, bootstrap_servers, cached: Mutex::default() }
    }

    /// Logs the missing topics.
    pub(super) async fn warn(&self) {
        let missing = self.missing(START_TIMEOUT).await;
        if !missing.is_empty() {
            let topics = missing.into_iter().collect::<Vec<_>>().join(", ");
            tracing::warn!(topics, kafka = self.bootstrap_servers, "topics are missing: {}", self.hint());
        }
    }

    /// The missing topics; none when the broker does not answer.
    async fn missing(&self, timeout: Duration) -> BTreeSet<&'static str> {
        let mut cached = self.cached.lock().await;
        match &*cached {
            Some((at, missing)) if at.elapsed() < METADATA_MAX_AGE => missing.clone(),
            _ => {
                let overview = self.cluster.overview(timeout).await;
                let missing = overview.as_ref().map_or_else(|_| BTreeSet::new(), missing_in);
                *cached = Some((Instant::now(), missing.clone()));
                missing
            }
        }
    }

    /// The command that creates topics.
    fn hint(&self) -> String {
        let kafka = &self.bootstrap_servers;
        format!("millrace topics apply --kafka {kafka} creates them")
    }
}

impl Sink for TopicCheck {
    fn write<'a>(&'a self, events: &'a [EventRecord<'a>]) -> BoxFuture<'a, Vec<Result<Ack, SinkError>>> {
        Box::pin(async move {
            let mut reports = self.inner.write(events).await;
            let is_unwritten = |report: &Result<_, _>| {
                matches!(report, Err(SinkError::NotWritten { class: ErrorClass::Transient, .. }))
            };
            if reports.iter().any(is_unwritten) {
                let missing = self.missing(WRITE_TIMEOUT).await;
                for (event, report) in events.iter().zip(&mut reports) {
                    if let Err(SinkError::NotWritten { reason, .. }) = report
                        && missing.contains(event.topic)
                    {
                        *reason = format!("the broker has no topic {}: {}", event.topic, self.hint());
                    }
                }
            }
            reports
        })
    }
}

/// The edge's topics that the broker does not have.
fn missing_in(overview: &ClusterMetadata) -> BTreeSet<&'static str> {
    EVENT_TYPES.iter().map(|kind| kind.topic).filter(|topic| !overview.topics.contains_key(*topic)).collect()
}
