//! Retention: old rows are deleted in batches, each of which holds its locks briefly.

/// A table with a retention.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RetainedTable {
    /// Events and payments. Their age counts from `received_at`, the time of their Kafka records.
    Events,
    /// Notifications with an outcome, and their deliveries. Their age counts from the later of their acceptance and
    /// their last attempt.
    Notifications,
}

impl RetainedTable {
    /// Its name in the schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Notifications => "notifications",
        }
    }

    /// The index by which old rows are found, and its column. Not part of the migrations: a deployment without
    /// retention does not need it.
    pub(crate) const fn index(self) -> (&'static str, &'static str) {
        match self {
            Self::Events => ("events_received_at", "events (received_at)"),
            Self::Notifications => ("notifications_accepted_at", "notifications (accepted_at)"),
        }
    }
}
