//! Conversion of notifications from and to table columns.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Delivery, DeliveryStatus, DestinationProgress, NotificationOutcome, NotificationStatus, Progress, StoredDelivery,
    StoredNotification,
};
use crate::StoreError;

/// A notification's id and outcome, and one of its destinations if any: name, highest attempt number, and whether an
/// attempt delivered.
pub(crate) type ProgressRow = (String, Option<String>, Option<String>, Option<i32>, Option<bool>);

/// A row of the table `deliveries`.
pub(crate) struct AttemptRow {
    pub(crate) destination: String,
    pub(crate) attempt: i32,
    pub(crate) status: String,
    pub(crate) at: Timestamp,
    pub(crate) error: Option<String>,
}

impl Delivery<'_> {
    /// The error without NULs, which PostgreSQL cannot store; a server's answer may contain them.
    pub(crate) fn storable_error(&self) -> Option<String> {
        self.error.map(|error| error.replace('\0', "\u{fffd}"))
    }
}

impl Progress {
    /// Collects rows by the notification's id.
    pub(crate) fn read(rows: Vec<ProgressRow>) -> Result<HashMap<String, Self>, StoreError> {
        let mut all = HashMap::new();
        for (id, outcome, destination, attempts, delivered) in rows {
            let progress: &mut Self = all.entry(id).or_default();
            progress.outcome = read_outcome(outcome)?;
            progress.destinations.extend(destination.map(|destination| DestinationProgress {
                destination,
                attempts: attempts.unwrap_or_default(),
                delivered: delivered.unwrap_or_default(),
            }));
        }
        Ok(all)
    }
}

impl StoredNotification {
    /// Builds a notification from its row and its attempts.
    pub(crate) fn read(
        id: &str,
        user_id: String,
        outcome: Option<String>,
        attempts: Vec<AttemptRow>,
    ) -> Result<Self, StoreError> {
        let deliveries = attempts.into_iter().map(|attempt| {
            let AttemptRow { destination, attempt, status, at, error } = attempt;
            let status = DeliveryStatus::from_text(&status).ok_or_else(|| unreadable(&status))?;
            Ok(StoredDelivery { destination, attempt, status, at, error })
        });
        let deliveries = deliveries.collect::<Result<Vec<_>, _>>()?;
        let status = NotificationStatus::of(read_outcome(outcome)?, &deliveries);
        Ok(Self { id: id.to_owned(), user_id, status, deliveries })
    }
}

fn read_outcome(text: Option<String>) -> Result<Option<NotificationOutcome>, StoreError> {
    let read = |text: String| NotificationOutcome::from_text(&text).ok_or_else(|| unreadable(&text));
    text.map(read).transpose()
}

fn unreadable(text: &str) -> StoreError {
    StoreError::unreadable("cannot read a notification", format!("{text:?} is neither delivered nor failed"))
}

impl NotificationStatus {
    /// Its text in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// A recorded delivery counts as delivered before the outcome is recorded.
    pub(crate) fn of(outcome: Option<NotificationOutcome>, deliveries: &[StoredDelivery]) -> Self {
        if deliveries.iter().any(|delivery| delivery.status == DeliveryStatus::Delivered) {
            return Self::Delivered;
        }
        match outcome {
            Some(NotificationOutcome::Delivered) => Self::Delivered,
            Some(NotificationOutcome::Failed) => Self::Failed,
            None => Self::Accepted,
        }
    }
}

impl DeliveryStatus {
    /// Its text in the API and the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Parses the table's text.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Delivered, Self::Failed].into_iter().find(|status| status.as_str() == text)
    }
}

impl NotificationOutcome {
    /// Its text in the table.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Parses the table's text.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Delivered, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text)
    }
}
