//! Notifications: acceptance, delivery attempts, result.

use jiff::Timestamp;

use millrace_domain::Digest;

use crate::Refusal;

mod rows;

pub(crate) use rows::{AttemptRow, ProgressRow};

/// A notification that the notifier accepts.
#[derive(Clone, Copy, Debug)]
pub struct NewNotification<'a> {
    /// The event's id.
    pub id: &'a str,
    /// The recipient.
    pub user_id: &'a str,
    /// The digest of its payload, to detect another one under the same id.
    pub digest: Digest,
    /// When it was accepted. Kept to the microsecond.
    pub accepted_at: Timestamp,
    /// Whether the id is the record's position: a notification from a deleted topic of that name is replaced.
    pub is_synthetic_id: bool,
}

/// The result of accepting a notification.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AcceptResult {
    /// It is new: the caller that gets this delivers it.
    New,
    /// It was accepted before; its progress.
    Repeat(Progress),
    /// Its id names another payload, or it cannot be stored.
    Refused(Refusal),
}

/// The progress of a notification.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Its outcome; `None`: accepted, with no outcome recorded.
    pub outcome: Option<NotificationOutcome>,
    /// The destinations that were attempted, by name.
    pub destinations: Vec<DestinationProgress>,
}

/// The progress of the delivery to one destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DestinationProgress {
    /// The destination's name.
    pub destination: String,
    /// The highest recorded attempt number.
    pub attempts: i32,
    /// Whether one of them delivered it.
    pub delivered: bool,
}

/// The outcome of a notification.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotificationOutcome {
    /// Delivered to at least one destination, and none is left to try.
    Delivered,
    /// All destinations failed.
    Failed,
}

/// One attempt to deliver a notification to one destination.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The event's id.
    pub event_id: &'a str,
    /// The recipient.
    pub user_id: &'a str,
    /// The destination's name.
    pub destination: &'a str,
    /// The number of the attempt at this destination, from 1.
    pub attempt: i32,
    /// Its status.
    pub status: DeliveryStatus,
    /// When it ended. Kept to the microsecond.
    pub at: Timestamp,
    /// The error, as text.
    pub error: Option<&'a str>,
}

/// The status of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeliveryStatus {
    /// Delivered to the destination.
    Delivered,
    /// Not delivered, as far as is known.
    Failed,
}

/// The result of a notification that has no destination left to try.
#[derive(Clone, Copy, Debug)]
pub struct NotificationResult<'a> {
    /// The event's id.
    pub event_id: &'a str,
    /// Its outcome.
    pub outcome: NotificationOutcome,
}

/// A stored notification.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredNotification {
    /// The event's id.
    pub id: String,
    /// The recipient.
    pub user_id: String,
    /// Its status.
    pub status: NotificationStatus,
    /// The attempts in the order they ended.
    pub deliveries: Vec<StoredDelivery>,
}

/// The status of a notification.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotificationStatus {
    /// Accepted, and not delivered yet.
    Accepted,
    /// Delivered to at least one destination.
    Delivered,
    /// All destinations failed.
    Failed,
}

/// A stored attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredDelivery {
    /// The destination's name.
    pub destination: String,
    /// The number of the attempt at this destination, from 1.
    pub attempt: i32,
    /// Its status.
    pub status: DeliveryStatus,
    /// When it ended.
    pub at: Timestamp,
    /// The error, as text.
    pub error: Option<String>,
}
