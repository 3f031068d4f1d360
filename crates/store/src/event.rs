//! Events as they are written and as they are read.

use jiff::Timestamp;
use millrace_domain::{Digest, UtcDateTime};
use thiserror::Error;

/// Events of one partition, and the offset that is reached with them.
#[derive(Clone, Copy, Debug)]
pub struct EventBatch<'a> {
    /// Whose offset moves.
    pub consumer: &'a str,
    /// The topic of all the rows.
    pub topic: &'a str,
    /// The partition of all the rows.
    pub partition: i32,
    /// The offset that is stored, as the writer believes; `None`: none yet.
    pub expected: Option<i64>,
    /// The offset to resume from after this batch.
    pub next: i64,
    /// The rows in their order; none is fine, the offset moves all the same.
    pub rows: &'a [EventRow<'a>],
}

/// An event to be stored.
#[derive(Clone, Copy, Debug)]
pub struct EventRow<'a> {
    /// Its id, unique in the whole system.
    pub id: &'a str,
    /// Its `CloudEvents` type.
    pub event_type: &'a str,
    /// Its `CloudEvents` source.
    pub source: &'a str,
    /// Its offset in the partition.
    pub offset: i64,
    /// Its record's key.
    pub key: Option<&'a str>,
    /// When it happened. Kept to the microsecond.
    pub time: UtcDateTime,
    /// When it was received. Kept to the microsecond.
    pub received_at: Timestamp,
    /// Its payload: JSON, which the caller has checked. SQLite keeps the text, PostgreSQL the value (`jsonb`): spaces
    /// and the order of names are lost, digits are not.
    pub data: &'a str,
    /// What tells its payload from another under the same id.
    pub digest: Digest,
    /// Whether the id is only the record's place: whatever else stood there before has gone with its topic.
    pub is_synthetic_id: bool,
}

/// An event as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredEvent {
    /// Its id.
    pub id: String,
    /// Its `CloudEvents` type.
    pub event_type: String,
    /// Its `CloudEvents` source.
    pub source: String,
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its record's key.
    pub key: Option<String>,
    /// When it happened.
    pub time: UtcDateTime,
    /// When it was received.
    pub received_at: Timestamp,
    /// Its payload: JSON.
    pub data: String,
}

/// A row that is not stored, in a batch that otherwise is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Its index in the batch's rows.
    pub row: usize,
    /// Why.
    pub refusal: Refusal,
}

/// Why something will never be stored. As text it is the reason of a dead letter.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// The id names another payload already.
    #[error("idempotency_conflict")]
    IdempotencyConflict,
    /// The database has no place for a value of it: text with a NUL, or, in PostgreSQL, JSON text with `\u0000` or half
    /// a surrogate pair, an id of several kilobytes.
    #[error("cannot be stored: {0}")]
    Unstorable(String),
}
