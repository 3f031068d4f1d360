//! `GET /get_status`: brokers, topics' end offsets and consumers' lag.

mod answers;

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::sink::BoxFuture;

/// The state of the system.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "status": "ok", "kafka": {"connected": true, "brokers": 3},
    "topics": {"notifications": {"partitions": 3, "end_offset": 120_000}},
    "consumers": {"notifier": {"group": "millrace-notifier", "lag": 0, "processed": 120_000, "dead_lettered": 0}},
})))]
pub struct Status {
    /// `ok`, or `degraded` where no broker answers or a figure is unavailable.
    pub status: &'static str,
    /// The brokers.
    pub kafka: BrokerStatus,
    /// Topics by name.
    pub topics: BTreeMap<String, TopicStatus>,
    /// Consumers by name.
    pub consumers: BTreeMap<String, ConsumerStatus>,
}

impl Status {
    /// The state where no broker answers.
    pub fn unreachable() -> Self {
        Self { status: "degraded", ..Self::default() }
    }
}

/// The brokers.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BrokerStatus {
    /// Whether any broker answers.
    pub connected: bool,
    /// Number of brokers.
    pub brokers: usize,
}

/// A topic.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopicStatus {
    /// Its number of partitions.
    pub partitions: i32,
    /// Sum of the partitions' end offsets; null while a partition has no leader.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub end_offset: Option<i64>,
}

/// A consumer, from its group's committed offsets.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsumerStatus {
    /// Its consumer group.
    pub group: String,
    /// Records not committed yet; null while unavailable.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub lag: Option<i64>,
    /// Number of records processed or dead-lettered, as counted in the commit metadata: not offsets, so without
    /// transaction markers and without aborted or deleted records. The count starts with the group's offsets, and anew
    /// where they are reset or expire. Null while the group has no coordinator.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub processed: Option<u64>,
    /// Sum of the end offsets of its dead-letter topics: dead letters of any consumer, and the markers of the
    /// transactions that some are written in; null while unavailable.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub dead_lettered: Option<i64>,
}

/// The port to the brokers' status.
pub trait StatusSource: Send + Sync {
    /// Queries the brokers. The route's time-out counts as no answer.
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
