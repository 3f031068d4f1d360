//! One key's records in order: one at work, those that wait in memory, and behind them those that wait on their topic.

use std::collections::VecDeque;

use super::partitions::Lease;
use super::postponed::{Behind, Postponed};
use super::work::{Finished, Level, Verdict, drop_unwanted};
use crate::record::Record;

/// How many of a lane's records are read again at once.
const READ_AGAIN: usize = 128;

/// A record to work on, and its claim.
pub(super) struct Task<'c> {
    pub(super) lease: Lease,
    pub(super) record: Record<'c>,
    /// What its processor noted when the record was postponed; `None` where it never was.
    pub(super) note: Option<u64>,
    pub(super) lane: u64,
    pub(super) waited: Waited,
}

/// How long a task has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// It has just come.
    No,
    /// It was there when its lane was last looked at.
    Once,
    /// It was announced.
    Long,
}

/// Why a task is postponed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Later {
    /// Which of the processor's queues is too long.
    pub(super) queue: usize,
    /// What the processor wants to know then.
    pub(super) note: u64,
}

/// A task that ended.
pub(super) struct TaskEnd<T> {
    pub(super) finished: Finished<T>,
    pub(super) lane: u64,
    /// Why, where it was postponed.
    pub(super) later: Option<Later>,
}

impl Task<'_> {
    /// The task's end.
    pub(super) fn finish<T>(&self, verdict: Verdict<T>) -> TaskEnd<T> {
        TaskEnd { finished: Finished { lease: self.lease, verdict }, lane: self.lane, later: None }
    }

    /// Its end for now.
    pub(super) fn postpone<T>(&self, later: Later) -> TaskEnd<T> {
        TaskEnd { later: Some(later), ..self.finish(Verdict::Postponed) }
    }
}

/// See the module's text. A lane without work has nothing in memory, and the first of what is on the topic is offered to
/// be read again.
pub(super) struct Lane<'c> {
    id: u64,
    slot: usize,
    is_busy: bool,
    pub(super) waiting: VecDeque<Task<'c>>,
    postponed: VecDeque<Lease>,
    /// How many of these, the first, are offered to be read again, and behind what.
    offered: usize,
    behind: Behind,
    is_full: bool,
}

impl<'c> Lane<'c> {
    /// A lane whose first record is at work.
    pub(super) fn new(id: u64, slot: usize) -> Self {
        Self {
            id,
            slot,
            is_busy: true,
            waiting: VecDeque::new(),
            postponed: VecDeque::new(),
            offered: 0,
            behind: Behind::Nothing,
            is_full: false,
        }
    }

    /// Takes a record that follows all others.
    pub(super) fn push(&mut self, task: Task<'c>) {
        self.waiting.push_back(task);
    }

    /// The same, for lanes that postpone: it comes back where others are postponed, or as many as `bound` wait, and is
    /// read again in its turn.
    pub(super) fn push_up_to(&mut self, bound: usize, task: Task<'c>) -> Option<Task<'c>> {
        if self.postponed.is_empty() && self.waiting.len() < bound {
            self.push(task);
            return None;
        }
        self.postponed.push_back(task.lease);
        Some(task)
    }

    /// Takes a record that was read again, after those in memory. It comes back where it is its turn.
    pub(super) fn take_again(&mut self, task: Task<'c>) -> Option<Task<'c>> {
        if self.is_busy {
            self.waiting.push_back(task);
            return None;
        }
        self.is_busy = true;
        Some(task)
    }

    /// How many records are postponed.
    pub(super) fn postponed(&self) -> usize {
        self.postponed.len()
    }

    /// Whether nothing is left.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_busy && self.postponed.is_empty()
    }

    /// Whether as many as `bound` wait, or no more than half, since the last call.
    pub(super) fn level(&mut self, bound: usize) -> Option<Level> {
        let change = match self.is_full {
            false if self.waiting.len() >= bound => Level::Full,
            true if self.waiting.len() <= bound / 2 => Level::Drained,
            _ => return None,
        };
        self.is_full = change == Level::Full;
        Some(change)
    }

    /// The record at work is done. The next one, which is at work now; where it is not in memory, it is offered.
    pub(super) fn advance(&mut self, index: &mut Postponed) -> Option<Task<'c>> {
        let next = self.waiting.pop_front();
        self.is_busy = next.is_some();
        self.offer(index);
        next
    }

    /// Postpones the record at work, and with it what waits for it.
    pub(super) fn postpone(&mut self, lease: Lease, later: Later, index: &mut Postponed) -> Vec<Task<'c>> {
        let waiting = self.make_room(index);
        self.withdraw(index);
        self.postponed.push_front(lease);
        self.is_busy = false;
        self.offered = 1;
        self.behind = Behind::Queue(later.queue);
        index.insert(self.behind, lease, self.id, later.note);
        waiting
    }

    /// Postpones what waits in memory, and returns it.
    pub(super) fn make_room(&mut self, index: &mut Postponed) -> Vec<Task<'c>> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        self.withdraw(index);
        for task in self.waiting.iter().rev() {
            self.postponed.push_front(task.lease);
        }
        self.waiting.drain(..).collect()
    }

    /// Whether this is the first of what is postponed. It no longer is then.
    pub(super) fn take_first(&mut self, lease: Lease) -> bool {
        let is_first = self.postponed.front().is_some_and(|first| first.offset == lease.offset);
        if is_first {
            self.postponed.pop_front();
            self.offered = self.offered.saturating_sub(1);
        }
        is_first
    }

    /// Where nothing is at work, something must be on its way.
    pub(super) fn offer(&mut self, index: &mut Postponed) {
        if self.is_busy || self.offered > 0 {
            return;
        }
        self.behind = Behind::Nothing;
        self.offered = self.postponed.len().min(READ_AGAIN);
        for &lease in self.postponed.iter().take(self.offered) {
            index.insert(self.behind, lease, self.id, 0);
        }
    }

    fn withdraw(&mut self, index: &mut Postponed) {
        for &lease in self.postponed.iter().take(self.offered) {
            index.remove(self.behind, lease);
        }
        self.offered = 0;
    }

    /// Drops what is not wanted, as the index has: claims go to `dropped`. The partition's slot, where there was any.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(Lease) -> bool, dropped: &mut Vec<Lease>) -> Option<usize> {
        let before = self.postponed.len();
        self.offered = self.postponed.iter().take(self.offered).filter(|&&lease| is_wanted(lease)).count();
        self.postponed.retain(|&lease| is_wanted(lease));
        let is_less = drop_unwanted(&mut self.waiting, |task| task.lease, is_wanted, dropped);
        let is_changed = is_less || self.postponed.len() < before;
        self.is_full &= !is_changed;
        is_changed.then_some(self.slot)
    }
}
