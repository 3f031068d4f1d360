//! `GET /get_status`: what the broker holds, and how far its consumers are.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use millrace_domain::catalogue::{Consumer, catalogue, dead_letter_topic};
use millrace_kafka::KafkaFailure;
use millrace_kafka::cluster::{Cluster, Offsets};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sink::BoxFuture;

/// How long each question to the brokers may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The state of the system.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(example = json!({
    "status": "ok", "kafka": {"connected": true, "brokers": 3},
    "topics": {"notifications": {"partitions": 3, "end_offset": 120_000}},
    "consumers": {"notifier": {"group": "millrace-notifier", "lag": 0, "processed": 120_000, "dead_lettered": 0}},
}))]
pub struct Status {
    /// `ok`, or `degraded` where no broker answers.
    pub status: &'static str,
    /// The brokers.
    pub kafka: BrokerStatus,
    /// Topics by name.
    pub topics: BTreeMap<String, TopicStatus>,
    /// Consumers by name.
    pub consumers: BTreeMap<String, ConsumerStatus>,
}

impl Status {
    /// The state while no broker answers.
    pub fn unreachable() -> Self {
        Self { status: "degraded", ..Self::default() }
    }
}

/// The brokers.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct BrokerStatus {
    /// Whether one answers.
    pub connected: bool,
    /// How many there are.
    pub brokers: usize,
}

/// A topic.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct TopicStatus {
    /// Its number of partitions.
    pub partitions: i32,
    /// The offsets after the last record of each partition, added up.
    pub end_offset: i64,
}

/// A consumer, as its group's committed offsets tell.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ConsumerStatus {
    /// Its group.
    pub group: String,
    /// Records it has not committed yet.
    pub lag: i64,
    /// Records it has committed.
    pub processed: i64,
    /// Records on the dead-letter topics of what it reads.
    pub dead_lettered: i64,
}

/// Where the status comes from.
pub trait StatusSource: Send + Sync {
    /// Asks the brokers.
    fn status(&self) -> BoxFuture<'_, Status>;
}

impl StatusSource for Cluster {
    fn status(&self) -> BoxFuture<'_, Status> {
        Box::pin(async move {
            ask(self).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "no broker answers");
                Status::unreachable()
            })
        })
    }
}

async fn ask(cluster: &Cluster) -> Result<Status, KafkaFailure> {
    let overview = cluster.overview(PATIENCE).await?;
    let (ends, firsts) = tokio::try_join!(
        cluster.end_offsets(&overview.topics, PATIENCE),
        cluster.first_offsets(&overview.topics, PATIENCE),
    )?;
    let end_offset = |topic: &str| ends.iter().filter(|((name, _), _)| name == topic).map(|(_, offset)| *offset).sum();
    let topics: BTreeMap<_, _> = overview
        .topics
        .iter()
        .map(|(name, &partitions)| (name.clone(), TopicStatus { partitions, end_offset: end_offset(name) }))
        .collect();
    let mut consumers = BTreeMap::new();
    for consumer in &catalogue().consumers {
        let read: BTreeMap<String, i32> =
            consumer.reads.iter().filter_map(|name| Some((name.clone(), *overview.topics.get(name)?))).collect();
        let committed = cluster.committed(&consumer.group(), &read, PATIENCE).await?;
        consumers.insert(consumer.name.clone(), of_consumer(consumer, &read, &committed, &firsts, &ends, &topics));
    }
    let kafka = BrokerStatus { connected: true, brokers: overview.brokers };
    Ok(Status { status: "ok", kafka, topics, consumers })
}

fn of_consumer(
    consumer: &Consumer,
    read: &BTreeMap<String, i32>,
    committed: &Offsets,
    firsts: &Offsets,
    ends: &Offsets,
    topics: &BTreeMap<String, TopicStatus>,
) -> ConsumerStatus {
    let letters = read.keys().filter_map(|name| topics.get(&dead_letter_topic(name)));
    let mut status = ConsumerStatus {
        group: consumer.group(),
        dead_lettered: letters.map(|topic| topic.end_offset).sum(),
        ..ConsumerStatus::default()
    };
    for (name, &partitions) in read {
        for partition in 0..partitions {
            let place = (name.clone(), partition);
            let (first, end) = (firsts.get(&place).copied().unwrap_or(0), ends.get(&place).copied().unwrap_or(0));
            // A group that has committed nothing yet begins with the first record that is there.
            let done = committed.get(&place).copied();
            status.lag += (end - done.unwrap_or(first).max(first)).max(0);
            status.processed += done.unwrap_or(0);
        }
    }
    status
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        if self.kafka.connected {
            return axum::Json(self).into_response();
        }
        let retry = (RETRY_AFTER, HeaderValue::from_static("2"));
        (StatusCode::SERVICE_UNAVAILABLE, [retry], axum::Json(self)).into_response()
    }
}
