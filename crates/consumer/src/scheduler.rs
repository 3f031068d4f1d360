//! How polled records become tasks: what the engine needs of a mode's scheduler.

pub(crate) mod batch;
pub(crate) mod key_queue;
pub(crate) mod keyed;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use millrace_kafka::{OwnedProducerRecord, Record};

use crate::assignment::RecordHandle;
use crate::dlq::cause::Cause;
use crate::spill::index::{ReadRequest, WaitReason};
use crate::start_offsets::StartOffset;

/// Turns polled records into tasks, and says which have completed.
pub(crate) trait Scheduler<'c> {
    /// What is made of a record.
    type Product;

    /// An epoch of a partition begins at `start`.
    fn begin_epoch(&mut self, slot: usize, epoch: u32, start: &StartOffset) {
        let _ = (slot, epoch, start);
    }

    /// Takes a record. `Full` where its partition is to be paused.
    fn take(&mut self, handle: RecordHandle, record: Record<'c>) -> Option<Backpressure>;

    /// Looks at what has waited since the last call.
    fn scan_queued(&mut self) {}

    /// The next record to leave flight, and whether its partition may be resumed. Pending as well while nothing runs.
    fn poll_completion(&mut self, context: &mut Context<'_>)
    -> Poll<(Completion<Self::Product>, Option<Backpressure>)>;

    /// Whether a batch is completed in part: nothing may be committed before the rest is.
    fn is_completing(&self) -> bool {
        false
    }

    /// Drops queued records whose partitions are no longer owned, and returns their handles. A partition of which any was
    /// dropped is no longer full.
    fn drop_queued(&mut self, is_owned: impl Fn(RecordHandle) -> bool) -> Vec<RecordHandle>;

    /// As much is in flight as may be: nothing more is taken before something is done.
    fn capacity_reached(&mut self) {}

    /// Memory is full of what waits: spills it, or begins it.
    fn relieve_pressure(&mut self) {}

    /// How many records are spilled: they left flight, and are still to be processed.
    fn spilled(&self) -> usize {
        0
    }

    /// Which spilled records to read again now.
    fn next_read(&mut self) -> Option<ReadRequest> {
        None
    }

    /// Takes a spilled record that was read again. `Err` where it is not the next of its key, or not spilled.
    fn accept_spilled(
        &mut self,
        reason: WaitReason,
        handle: RecordHandle,
        read: SpilledRead<'c>,
    ) -> Result<(), RecordHandle> {
        let _ = (reason, read);
        Err(handle)
    }
}

/// A spilled record that was read again.
pub(crate) struct SpilledRead<'c> {
    pub(crate) record: Record<'c>,
    /// Whether it is not on its topic any more: `record` has its position only.
    pub(crate) is_deleted: bool,
}

/// Moves the handles of what is no longer owned out of a queue into `dropped`; whether there was any.
pub(crate) fn drop_revoked<T>(
    queued: &mut VecDeque<T>,
    handle_of: impl Fn(&T) -> RecordHandle,
    is_owned: impl Fn(RecordHandle) -> bool,
    dropped: &mut Vec<RecordHandle>,
) -> bool {
    let before = dropped.len();
    queued.retain(|item| {
        let handle = handle_of(item);
        let is_owned = is_owned(handle);
        dropped.extend((!is_owned).then_some(handle));
        is_owned
    });
    dropped.len() > before
}

/// A record that left flight.
#[derive(Debug)]
pub(crate) struct Completion<T> {
    pub(crate) handle: RecordHandle,
    pub(crate) outcome: TaskOutcome<T>,
}

/// How a task ended.
#[derive(Debug, Clone)]
pub(crate) enum TaskOutcome<T> {
    /// The record was processed, and this was made of it.
    Done(T),
    /// The record was refused.
    DeadLettered {
        /// Why.
        cause: Cause,
        /// The dead letter, where it is still to be written; otherwise it is acknowledged.
        letter: Option<OwnedProducerRecord>,
    },
    /// The record was spilled and will be read again. Where its processor deferred it: for which queue.
    Spilled(Option<SpillRequest>),
    /// The partition was revoked before the record ran: its next owner reads it.
    Abandoned,
    /// The partition's stored offset is not the expected one: it is sought to what is stored.
    OffsetMismatch,
    /// The record's dead letter is refused for good: the consumer must stop.
    DeadLetterRefused(String),
    /// The consumer must stop.
    Halt(String),
}

/// Why a processor deferred a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpillRequest {
    /// The destination queue that is full.
    pub(crate) queue: usize,
    /// Handed back to the processor when the record comes again.
    pub(crate) resume_token: u64,
}

/// Whether a queue has filled or drained: its partition is paused or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backpressure {
    /// The bound is reached.
    Full,
    /// It was reached, and half of it is left.
    Drained,
}
