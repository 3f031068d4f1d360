//! How progress is committed, so that a restart resumes from there.

pub(crate) mod buffer;
pub(crate) mod external;
pub(crate) mod group;
pub(crate) mod transaction;

use std::task::{Context, Poll};

use millrace_kafka::OwnedProducerRecord;
use rdkafka::error::KafkaResult;

use crate::assignment::{Assignment, RecordHandle};
use crate::error::ConsumerError;

/// When offsets are committed, and how much a commit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitPolicy {
    /// At an interval: the low watermark, and in the commit's metadata the offsets completed beyond it.
    Interval,
    /// As soon as anything is done, in a transaction with what was made of the records. Only the low watermark: what was
    /// made of records beyond it is not written yet.
    Transaction,
}

impl CommitPolicy {
    /// Whether progress is committed as soon as there is some.
    pub(crate) fn is_eager(self) -> bool {
        self == Self::Transaction
    }

    /// Whether a commit also names the offsets completed beyond the low watermark.
    pub(crate) fn includes_completed_offsets(self) -> bool {
        self == Self::Interval
    }
}

/// Commits offsets. `T` is what is made of records, and has to be safe before their offsets are committed.
pub(crate) trait OffsetCommitter<T> {
    /// When offsets are committed, and how much a commit says.
    fn policy(&self) -> CommitPolicy;

    /// Takes what was made of a record.
    fn stage(&mut self, handle: RecordHandle, output: Output<T>);

    /// How many products wait to be committed.
    fn waiting(&self) -> usize;

    /// Begins to commit what is done, unless a commit is under way. `closing` where a revocation, or the end of the
    /// process, waits for it.
    fn commit(&mut self, assignment: &mut Assignment, closing: bool);

    /// Ready when a commit ended, or failed and may be tried again.
    fn poll(&mut self, context: &mut Context<'_>, assignment: &mut Assignment) -> Poll<Result<(), ConsumerError>>;

    /// Takes the broker's answer to an asynchronous commit.
    fn answered(&mut self, result: KafkaResult<()>, assignment: &mut Assignment);

    /// Whether a commit is under way.
    fn is_committing(&self) -> bool;
}

/// What was made of a record.
#[derive(Debug, Clone)]
pub(crate) enum Output<T> {
    /// What its processor made.
    Product(T),
    /// Its dead letter, which is still to be written.
    Letter(OwnedProducerRecord),
    /// Nothing is left to be written.
    Nothing,
}
