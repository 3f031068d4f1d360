//! Notifications: taken up, attempted, concluded.

use jiff::Timestamp;

use millrace_domain::Digest;

use crate::Refusal;

mod rows;

pub(crate) use rows::{AttemptRow, ProgressRow};

/// A notification that the notifier takes up.
#[derive(Clone, Copy, Debug)]
pub struct NewNotification<'a> {
    /// The event's id.
    pub id: &'a str,
    /// Whom it is for.
    pub user_id: &'a str,
    /// What tells its payload from another under the same id.
    pub digest: Digest,
    /// When it was taken up. Kept to the microsecond.
    pub accepted_at: Timestamp,
    /// Whether the id is only the record's place: whatever else stood there before has gone with its topic.
    pub is_synthetic_id: bool,
}

/// What the store knows of a notification that is taken up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AcceptResult {
    /// Nothing: it is new, and whoever was told so delivers it.
    New,
    /// It was taken up before; this is how far it came.
    Repeat(Progress),
    /// Its id names another payload, or it cannot be stored.
    Refused(Refusal),
}

/// How far the delivery of a notification came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// How it ended; `None`: it was taken up, and its deliveries are not known to have ended.
    pub outcome: Option<NotificationOutcome>,
    /// The destinations that were attempted, by name.
    pub destinations: Vec<DestinationProgress>,
}

/// How far the delivery to one destination came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DestinationProgress {
    /// The destination's name.
    pub destination: String,
    /// The highest number of an attempt on record.
    pub attempts: i32,
    /// Whether one of them delivered it.
    pub delivered: bool,
}

/// How the delivery of a notification ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotificationOutcome {
    /// At least one destination has it, and none is left to try.
    Delivered,
    /// All destinations failed.
    Failed,
}

/// One attempt to deliver a notification to one destination.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The event's id.
    pub event_id: &'a str,
    /// Whom it was for.
    pub user_id: &'a str,
    /// The destination's name.
    pub destination: &'a str,
    /// The number of the attempt at this destination, from 1.
    pub attempt: i32,
    /// How it ended.
    pub status: DeliveryStatus,
    /// When it ended. Kept to the microsecond.
    pub at: Timestamp,
    /// What went wrong, for people.
    pub error: Option<&'a str>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeliveryStatus {
    /// The destination has it.
    Delivered,
    /// It does not, as far as is known.
    Failed,
}

/// The end of a notification's deliveries: no destination is left to try.
#[derive(Clone, Copy, Debug)]
pub struct NotificationResult<'a> {
    /// The event's id.
    pub event_id: &'a str,
    /// How it ended.
    pub outcome: NotificationOutcome,
}

/// A notification as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredNotification {
    /// The event's id.
    pub id: String,
    /// Whom it is for.
    pub user_id: String,
    /// Where it stands.
    pub status: NotificationStatus,
    /// The attempts in the order they ended.
    pub deliveries: Vec<StoredDelivery>,
}

/// Where a notification stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotificationStatus {
    /// Taken up, and not delivered yet.
    Accepted,
    /// At least one destination has it.
    Delivered,
    /// All destinations failed.
    Failed,
}

/// An attempt as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredDelivery {
    /// The destination's name.
    pub destination: String,
    /// The number of the attempt at this destination, from 1.
    pub attempt: i32,
    /// How it ended.
    pub status: DeliveryStatus,
    /// When it ended.
    pub at: Timestamp,
    /// What went wrong.
    pub error: Option<String>,
}
