//! What a mode's work is to the engine: polled records go in, verdicts come out.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use millrace_domain::DeadLetterClass;

use super::offers::{Behind, Wanted};
use super::partitions::Lease;
use super::resume::Place;
use crate::new_record::NewRecord;
use crate::record::Record;

/// How polled records become work.
pub(super) trait Work<'c> {
    /// What is made of a record.
    type Product;

    /// A partition is taken up at a place, in an epoch of its own.
    fn begin_epoch(&mut self, slot: usize, epoch: u32, place: &Place) {
        let _ = (slot, epoch, place);
    }

    /// Takes a record in. `Some` where its partition has enough waiting now.
    fn take(&mut self, lease: Lease, record: Record<'c>) -> Option<Level>;

    /// Looks at what has waited since the last call.
    fn look_at_waiting(&mut self) {}

    /// The next record to leave flight, and whether its partition may go on. Pending as well while nothing runs.
    fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<(Finished<Self::Product>, Option<Level>)>;

    /// Drops what waits for others and is not wanted, and returns its claims. Where that is anything, the partition no
    /// longer has enough waiting.
    fn drop_waiting(&mut self, is_wanted: impl Fn(Lease) -> bool) -> Vec<Lease>;

    /// Postpones what waits for others in memory.
    fn make_room(&mut self) {}

    /// How many records are postponed: their claims have ended, and they are still to be done.
    fn postponed(&self) -> usize {
        0
    }

    /// What to read again now of what was postponed.
    fn wanted_again(&mut self) -> Option<Wanted> {
        None
    }

    /// Takes a postponed record that was read again; `None` where it is not on its topic any more. `Err` where it is not
    /// its turn, or it is not postponed.
    fn take_again(&mut self, behind: Behind, lease: Lease, record: Option<Record<'c>>) -> Result<(), Lease> {
        let _ = (behind, record);
        Err(lease)
    }
}

/// Moves the claims of what is not wanted out of a queue into `dropped`; whether there was any. `lease_of` tells a claim.
pub(super) fn drop_unwanted<T>(
    waiting: &mut VecDeque<T>,
    lease_of: impl Fn(&T) -> Lease,
    is_wanted: impl Fn(Lease) -> bool,
    dropped: &mut Vec<Lease>,
) -> bool {
    let before = dropped.len();
    waiting.retain(|one| {
        let lease = lease_of(one);
        let is_wanted = is_wanted(lease);
        dropped.extend((!is_wanted).then_some(lease));
        is_wanted
    });
    dropped.len() > before
}

/// A record that left flight.
#[derive(Debug)]
pub(super) struct Finished<T> {
    pub(super) lease: Lease,
    pub(super) verdict: Verdict<T>,
}

/// What became of a record.
#[derive(Debug, Clone)]
pub(super) enum Verdict<T> {
    /// It was processed, and this was made of it.
    Done(T),
    /// It was refused.
    DeadLettered {
        /// Whose fault it was.
        class: DeadLetterClass,
        /// The letter, where it is still to be written; otherwise it is acknowledged.
        letter: Option<NewRecord>,
    },
    /// It left memory before its turn, and will be read again. Where its processor postponed it: what for.
    Postponed(Option<Later>),
    /// It was given up because its partition leaves: somebody else will read it.
    Abandoned,
    /// Its partition's progress is not where it was thought to be: it goes on from what is stored.
    Misplaced,
    /// The consumer must stop.
    Halt(String),
}

/// What a processor postpones a record for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Later {
    /// Which of the processor's queues is too long.
    pub(super) queue: usize,
    /// What the processor wants to know then.
    pub(super) note: u64,
}

/// How much waits for its turn, or no longer does: a partition is paused or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The bound is reached.
    Full,
    /// It was reached, and half of it is left.
    Drained,
}
