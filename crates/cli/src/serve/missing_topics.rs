//! Topics that the edge writes to and the broker does not have: `serve` makes none, and says which command does.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_domain::event::EVENT_TYPES;
use millrace_edge::{Ack, BoxFuture, EventRecord, KafkaSink, Sink, SinkError};
use millrace_kafka::admin::{AdminClient, ClusterMetadata};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long the broker may take to tell its topics at the start.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take after a write has failed. With the time for the write this stays below that for an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long what it told holds: failed writes of many requests ask once.
const OVERVIEW_AGE: Duration = Duration::from_secs(1);

/// A sink that names the topic, and the way to it, where an event was not written because there is none.
pub(super) struct TopicCheck {
    inner: KafkaSink,
    cluster: AdminClient,
    bootstrap_servers: String,
    /// The missing topics, and when the broker told them.
    known: Mutex<Option<(Instant, BTreeSet<&'static str>)>>,
}

impl TopicCheck {
    pub(super) fn new(inner: KafkaSink, cluster: AdminClient, bootstrap_servers: String) -> Self {
        Self { inner, cluster, bootstrap_servers, known: Mutex::default() }
    }

    /// Logs the topics that are missing now.
    pub(super) async fn warn(&self) {
        let missing = self.missing(START_TIMEOUT).await;
        if !missing.is_empty() {
            let topics = missing.into_iter().collect::<Vec<_>>().join(", ");
            tracing::warn!(topics, kafka = self.bootstrap_servers, "topics are missing: {}", self.way());
        }
    }

    /// The topics that are missing; none where the broker does not tell.
    async fn missing(&self, timeout: Duration) -> BTreeSet<&'static str> {
        let mut known = self.known.lock().await;
        match &*known {
            Some((at, missing)) if at.elapsed() < OVERVIEW_AGE => missing.clone(),
            _ => {
                let overview = self.cluster.overview(timeout).await;
                let missing = overview.as_ref().map_or_else(|_| BTreeSet::new(), missing_in);
                *known = Some((Instant::now(), missing.clone()));
                missing
            }
        }
    }

    /// How topics are made.
    fn way(&self) -> String {
        let kafka = &self.bootstrap_servers;
        format!("millrace consume NAME… --kafka {kafka} and millrace dev --kafka {kafka} make those that are missing")
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
                        *reason = format!("the broker has no topic {}: {}", event.topic, self.way());
                    }
                }
            }
            reports
        })
    }
}

/// The edge's topics that a broker does not have.
fn missing_in(overview: &ClusterMetadata) -> BTreeSet<&'static str> {
    EVENT_TYPES.iter().map(|kind| kind.topic).filter(|topic| !overview.topics.contains_key(*topic)).collect()
}
