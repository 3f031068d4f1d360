//! How progress is recorded, so that a restart goes on from there.

use std::task::{Context, Poll};

use rdkafka::error::KafkaResult;

use super::ConsumerError;
use super::partitions::{Lease, Partitions};
use crate::new_record::NewRecord;

/// See the module's text. `T` is what is made of records, and has to be safe before its records count.
pub(super) trait Recorder<T> {
    /// Whether progress is recorded as soon as there is some, and not only now and then.
    const EAGER: bool;

    /// Whether what is done beyond a gap is recorded too, or only how far everything is.
    const TELLS_ALL: bool;

    /// Takes what was made of a record.
    fn stage(&mut self, lease: Lease, made: Made<T>);

    /// How many products wait to be recorded.
    fn waiting(&self) -> usize;

    /// Begins to record what is done, unless that is under way. `closing` where partitions, or the end of the
    /// process, wait for it.
    fn record(&mut self, partitions: &mut Partitions, closing: bool);

    /// Ready when something was recorded, or was not and may be tried again.
    fn poll(&mut self, context: &mut Context<'_>, partitions: &mut Partitions) -> Poll<Result<(), ConsumerError>>;

    /// Takes the answer to a commit.
    fn answered(&mut self, result: KafkaResult<()>, partitions: &mut Partitions);

    /// Whether something is on its way.
    fn is_recording(&self) -> bool;
}

/// What was made of a record.
#[derive(Debug, Clone)]
pub(super) enum Made<T> {
    /// What its processor made.
    Product(T),
    /// Its dead letter, which is still to be written.
    Letter(NewRecord),
    /// Nothing is left to be written.
    Nothing,
}
