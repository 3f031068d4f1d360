//! One key's records in order: one at work, those that wait in memory, and behind them those that wait on their topic.

use std::collections::VecDeque;

use super::offers::{Behind, Offers};
use super::partitions::Lease;
use super::work::{Finished, Later, Level, Verdict, drop_unwanted};
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

/// A task that ended.
pub(super) struct TaskEnd<T> {
    pub(super) finished: Finished<T>,
    pub(super) lane: u64,
}

impl Task<'_> {
    /// The task's end.
    pub(super) fn finish<T>(&self, verdict: Verdict<T>) -> TaskEnd<T> {
        TaskEnd { finished: Finished { lease: self.lease, verdict }, lane: self.lane }
    }
}

/// See the module's text. A lane without work has nothing in memory, and the first of what is on the topic is offered to
/// be read again.
pub(super) struct Lane<'c> {
    is_busy: bool,
    is_full: bool,
    pub(super) waiting: VecDeque<Task<'c>>,
    /// In a box: it is rare, and there are many lanes.
    postponed: Option<Box<Postponed>>,
}

/// What waits on the topic.
struct Postponed {
    /// In order, at least one.
    leases: VecDeque<Lease>,
    /// How many of these, the first, are offered to be read again, and behind what.
    offered: usize,
    behind: Behind,
}

impl Postponed {
    fn offer(&mut self, lane: u64, offers: &mut Offers) {
        if self.offered == 0 {
            self.behind = Behind::Nothing;
            self.offered = self.leases.len().min(READ_AGAIN);
            for &lease in self.leases.iter().take(self.offered) {
                offers.insert(self.behind, lease, lane, 0);
            }
        }
    }

    fn withdraw(&mut self, offers: &mut Offers) {
        for &lease in self.leases.iter().take(self.offered) {
            offers.remove(self.behind, lease);
        }
        self.offered = 0;
    }
}

impl<'c> Lane<'c> {
    /// A lane whose first record is at work.
    pub(super) fn new() -> Self {
        Self { is_busy: true, is_full: false, waiting: VecDeque::new(), postponed: None }
    }

    /// Takes a record that follows all others.
    pub(super) fn push(&mut self, task: Task<'c>) {
        self.waiting.push_back(task);
    }

    /// The same, for lanes that postpone: it comes back where others are postponed, or as many as `bound` wait, and is
    /// read again in its turn.
    pub(super) fn push_up_to(&mut self, bound: usize, task: Task<'c>) -> Option<Task<'c>> {
        if self.postponed.is_none() && self.waiting.len() < bound {
            self.push(task);
            return None;
        }
        self.postponed_mut().leases.push_back(task.lease);
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
        self.postponed.as_ref().map_or(0, |postponed| postponed.leases.len())
    }

    /// Whether nothing is left.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_busy && self.postponed.is_none()
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
    pub(super) fn advance(&mut self, id: u64, offers: &mut Offers) -> Option<Task<'c>> {
        let next = self.waiting.pop_front();
        self.is_busy = next.is_some();
        self.offer(id, offers);
        next
    }

    /// Postpones the record at work, and with it what waits for it, which is returned.
    pub(super) fn postpone(&mut self, id: u64, lease: Lease, later: Later, offers: &mut Offers) -> Vec<Task<'c>> {
        let waiting = self.make_room(offers);
        self.is_busy = false;
        let postponed = self.postponed_mut();
        postponed.withdraw(offers);
        postponed.leases.push_front(lease);
        postponed.offered = 1;
        postponed.behind = Behind::Queue(later.queue);
        offers.insert(postponed.behind, lease, id, later.note);
        waiting
    }

    /// Postpones what waits in memory, and returns it.
    pub(super) fn make_room(&mut self, offers: &mut Offers) -> Vec<Task<'c>> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let waiting: Vec<_> = self.waiting.drain(..).collect();
        let postponed = self.postponed_mut();
        postponed.withdraw(offers);
        for task in waiting.iter().rev() {
            postponed.leases.push_front(task.lease);
        }
        waiting
    }

    /// Whether this is the first of what is postponed. It no longer is then.
    pub(super) fn take_first(&mut self, lease: Lease) -> bool {
        let Some(postponed) = &mut self.postponed else { return false };
        let is_first = postponed.leases.front().is_some_and(|first| first.offset == lease.offset);
        if is_first {
            postponed.leases.pop_front();
            postponed.offered = postponed.offered.saturating_sub(1);
            self.tidy();
        }
        is_first
    }

    /// Where nothing is at work, something must be on its way.
    pub(super) fn offer(&mut self, id: u64, offers: &mut Offers) {
        if let Some(postponed) = &mut self.postponed
            && !self.is_busy
        {
            postponed.offer(id, offers);
        }
    }

    /// Drops what is not wanted, as the offers were: claims go to `dropped`.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(Lease) -> bool, dropped: &mut Vec<Lease>) {
        self.is_full &= !drop_unwanted(&mut self.waiting, |task| task.lease, &is_wanted, dropped);
        if let Some(postponed) = &mut self.postponed {
            let offered = postponed.leases.iter().take(postponed.offered);
            postponed.offered = offered.filter(|&&lease| is_wanted(lease)).count();
            postponed.leases.retain(|&lease| is_wanted(lease));
            self.tidy();
        }
    }

    fn postponed_mut(&mut self) -> &mut Postponed {
        let none = || Box::new(Postponed { leases: VecDeque::new(), offered: 0, behind: Behind::Nothing });
        self.postponed.get_or_insert_with(none)
    }

    fn tidy(&mut self) {
        self.postponed.take_if(|postponed| postponed.leases.is_empty());
    }
}
