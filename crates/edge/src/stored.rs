//! The port to what consumers have stored, and its answers.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::sink::BoxFuture;

/// An event as it is stored.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0198c5a0-0000-7000-8000-000000000001", "type": "millrace.event.registered", "source": "/millrace/edge",
    "topic": "events", "partition": 2, "offset": 17, "key": "12345", "time": "2026-01-31T12:00:00Z",
    "received_at": "2026-01-31T12:00:00.004Z", "data": {"user_id": "12345", "page": "/"},
}))]
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
    #[schema(required)]
    pub key: Option<String>,
    /// When it happened, in RFC 3339.
    pub time: String,
    /// When Kafka's producer took it, in RFC 3339.
    pub received_at: String,
    /// Its value.
    #[schema(value_type = serde_json::Value)]
    pub data: Box<RawValue>,
}

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotificationStatus {
    /// Taken up, and not delivered yet.
    Accepted,
    /// At least one destination has it.
    Delivered,
    /// All destinations failed.
    Failed,
}

/// A notification, and what became of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0198c5a0-0000-7000-8000-000000000001", "user_id": "12345", "status": "delivered",
    "deliveries": [
        {"destination": "hook", "attempt": 1, "status": "failed", "at": "2026-01-31T12:00:00.1Z", "error": "status 503"},
        {"destination": "hook", "attempt": 2, "status": "delivered", "at": "2026-01-31T12:00:01Z", "error": null},
    ],
}))]
pub struct StoredNotification {
    /// Its event's id.
    pub id: String,
    /// Whom it is for.
    pub user_id: String,
    /// Where it stands.
    pub status: NotificationStatus,
    /// Every attempt, in the order they ended.
    pub deliveries: Vec<StoredDelivery>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// The destination has it.
    Delivered,
    /// It does not, as far as is known.
    Failed,
}

/// An attempt to deliver a notification.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StoredDelivery {
    /// The destination's name.
    pub destination: String,
    /// The number of the attempt at this destination, from 1.
    pub attempt: i32,
    /// How it ended.
    pub status: DeliveryStatus,
    /// When it ended, in RFC 3339.
    pub at: String,
    /// What went wrong; null where nothing did.
    #[schema(required)]
    pub error: Option<String>,
}

/// Why nothing can be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// This process was given no database.
    NoDatabase,
    /// The database does not answer, or not as it should.
    Unavailable {
        /// What happened.
        reason: String,
    },
}

/// Looks up what consumers have stored. `Ok(None)`: nothing under this id.
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
