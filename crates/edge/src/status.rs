//! `GET /get_status`: what the broker holds, and how far its consumers are.

mod answers;

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sink::BoxFuture;

/// The state of the system.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(example = json!({
    "status": "ok", "kafka": {"connected": true, "brokers": 3},
    "topics": {"notifications": {"partitions": 3, "end_offset": 120_000}},
    "consumers": {"notifier": {"group": "millrace-notifier", "lag": 0, "processed": 120_000, "dead_lettered": 0}},
}))]
pub struct Status {
    /// `ok`, or `degraded` where no broker answers or a figure cannot be had now.
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
    /// The offsets after the last record of each partition, added up; null while a partition has no leader to ask.
    #[schema(required)]
    pub end_offset: Option<i64>,
}

/// A consumer, as its group's committed offsets tell.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ConsumerStatus {
    /// Its group.
    pub group: String,
    /// Records it has not committed yet; null where that cannot be had now.
    #[schema(required)]
    pub lag: Option<i64>,
    /// How many records it has processed or dead-lettered, as its commits count them: not offsets, so without the
    /// markers of transactions and without aborted or deleted records. It begins with the group's offsets, and anew
    /// where they are reset or forgotten. Null while the group has no coordinator to ask.
    #[schema(required)]
    pub processed: Option<u64>,
    /// The end offsets of the dead-letter topics of what it reads, added up: letters, whichever consumer wrote them, and
    /// the markers of the transactions that some are written in; null where that cannot be had now.
    #[schema(required)]
    pub dead_lettered: Option<i64>,
}

/// Where the status comes from.
pub trait StatusSource: Send + Sync {
    /// Asks the brokers. An answer that takes longer than the route waits counts as none.
    fn status(&self) -> BoxFuture<'_, Status>;
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
