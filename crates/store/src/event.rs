//! Events: rows to be written, and stored rows.

use jiff::Timestamp;
use millrace_domain::{Digest, UtcDateTime};
use thiserror::Error;

/// Events of one partition, and the offset after them.
#[derive(Clone, Copy, Debug)]
pub struct EventBatch<'a> {
    /// The consumer whose offset moves.
    pub consumer: &'a str,
    /// The topic of all the rows.
    pub topic: &'a str,
    /// The partition of all the rows.
    pub partition: i32,
    /// The stored offset that the writer expects; `None`: none yet.
    pub expected: Option<i64>,
    /// The offset to resume from after this batch.
    pub next: i64,
    /// The rows in their order; may be empty, the offset moves all the same.
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
    /// Its payload: JSON that the caller has validated. SQLite keeps the text; PostgreSQL keeps the value (`jsonb`),
    /// with all digits and without spaces and the order of names.
    pub data: &'a str,
    /// The digest of its payload, to detect another one under the same id.
    pub digest: Digest,
    /// Whether the id is the record's position: a row from a deleted topic of that name is replaced.
    pub is_synthetic_id: bool,
}

/// A stored event.
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

/// Why a row is never stored. Its text is the reason in the dead letter.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// The id names another payload already.
    #[error("idempotency_conflict")]
    IdempotencyConflict,
    /// The database cannot store a value: text with a NUL, or, in PostgreSQL, JSON text with `\u0000` or an unpaired
    /// surrogate, or an id of several kilobytes.
    #[error("cannot be stored: {0}")]
    Unstorable(String),
}
