//! The port to the stored events and notifications, and its results.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::sink::BoxFuture;

/// A stored event.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "id": "0198c5a0-0000-7000-8000-000000000001", "type": "millrace.event.registered", "source": "/millrace/edge",
    "topic": "events", "partition": 2, "offset": 17, "key": "12345", "time": "2026-01-31T12:00:00Z",
    "received_at": "2026-01-31T12:00:00.004Z", "data": {"user_id": "12345", "page": "/"},
})))]
pub struct StoredEvent {
    /// Its id.
    pub id: String,
    /// Its CloudEvents type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its CloudEvents source.
    pub source: String,
    /// The topic it was read from.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's key; null where it has none.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub key: Option<String>,
    /// When it happened, in RFC 3339.
    pub time: String,
    /// The record's timestamp, in RFC 3339.
    pub received_at: String,
    /// Its value.
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value))]
    pub data: Box<RawValue>,
}

/// Status of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum NotificationStatus {
    /// Read by the notifier, not delivered yet.
    Accepted,
    /// At least one destination accepted it.
    Delivered,
    /// All destinations failed.
    Failed,
}

/// A notification and its delivery attempts.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "id": "0198c5a0-0000-7000-8000-000000000001", "user_id": "12345", "status": "delivered",
    "deliveries": [
        {"destination": "hook", "attempt": 1, "status": "failed", "at": "2026-01-31T12:00:00.1Z", "error": "status 503"},
        {"destination": "hook", "attempt": 2, "status": "delivered", "at": "2026-01-31T12:00:01Z", "error": null},
    ],
})))]
pub struct StoredNotification {
    /// Its event's id.
    pub id: String,
    /// The recipient.
    pub user_id: String,
    /// Its status.
    pub status: NotificationStatus,
    /// Every attempt, in the order they ended.
    pub deliveries: Vec<StoredDelivery>,
}

/// Result of a delivery attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// The destination accepted it.
    Delivered,
    /// The attempt failed, as far as is known.
    Failed,
}

/// An attempt to deliver a notification.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredDelivery {
    /// The destination's name.
    pub destination: String,
    /// The number of the attempt at this destination, from 1.
    pub attempt: i32,
    /// Its result.
    pub status: DeliveryStatus,
    /// When it ended, in RFC 3339.
    pub at: String,
    /// The error; null where the attempt succeeded.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
}

/// Why a lookup failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// No database is configured.
    NoDatabase,
    /// The database did not answer, or with an error.
    Unavailable {
        /// The cause.
        reason: String,
    },
}

/// Looks up stored events and notifications by id. `Ok(None)`: none has this id.
pub trait Lookup: Send + Sync {
    /// The event of this id.
    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredEvent>, LookupError>>;

    /// The notification of this id.
    fn notification<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<StoredNotification>, LookupError>>;
}

/// The lookup of a process without a database.
pub(crate) struct NoDatabase;

impl Lookup for NoDatabase {
    fn event<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<StoredEvent>, LookupError>> {
        Box::pin(std::future::ready(Err(LookupError::NoDatabase)))
    }

    fn notification<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<StoredNotification>, LookupError>> {
        Box::pin(std::future::ready(Err(LookupError::NoDatabase)))
    }
}
