//! One key's records in order: one running, those that wait in memory, and behind them those spilled to their topic.

use std::collections::VecDeque;

use millrace_kafka::Record;

use crate::assignment::RecordHandle;
use crate::scheduler::{Backpressure, Completion, SpillRequest, TaskOutcome, drop_revoked};
use crate::spill::index::{SpillIndex, WaitReason};

/// How many of a key's spilled records are read again at once.
const READ_AHEAD: usize = 128;

/// A record to run, and its handle.
pub(crate) struct Task<'c> {
    pub(crate) handle: RecordHandle,
    pub(crate) record: Record<'c>,
    /// Whether the record was deleted from its topic while it was spilled: `record` has its position only.
    pub(crate) is_deleted: bool,
    /// The processor's token from when it deferred the record; `None` where the record was never spilled.
    pub(crate) resume_token: Option<u64>,
    pub(crate) key_hash: u64,
    pub(crate) waited: Waited,
}

/// How long a task has waited in its key queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Since after the last scan.
    No,
    /// Since before the last scan.
    Once,
    /// For two scans: its destination queues were told.
    Long,
}

/// A task that ended.
pub(crate) struct TaskEnd<T> {
    pub(crate) completion: Completion<T>,
    pub(crate) key_hash: u64,
}

impl Task<'_> {
    /// The task's end.
    pub(crate) fn finish<T>(&self, outcome: TaskOutcome<T>) -> TaskEnd<T> {
        TaskEnd { completion: Completion { handle: self.handle, outcome }, key_hash: self.key_hash }
    }
}

/// The records of one key that wait for each other. A queue in which nothing runs has nothing in memory; the first of
/// its spilled records are requested to be read again.
pub(crate) struct KeyQueue<'c> {
    is_running: bool,
    is_full: bool,
    pub(crate) waiting: VecDeque<Task<'c>>,
    /// In a box: it is rare, and there are many queues.
    spilled: Option<Box<Spilled>>,
}

/// What waits on the topic.
struct Spilled {
    /// In order, at least one.
    handles: VecDeque<RecordHandle>,
    /// How many of these, the first, are in the spill index, and why they wait.
    requested: usize,
    reason: WaitReason,
}

impl Spilled {
    fn request(&mut self, key_hash: u64, index: &mut SpillIndex) {
        if self.requested == 0 {
            self.reason = WaitReason::Ready;
            self.requested = self.handles.len().min(READ_AHEAD);
            for &handle in self.handles.iter().take(self.requested) {
                index.insert(self.reason, handle, key_hash, 0);
            }
        }
    }

    fn withdraw(&mut self, index: &mut SpillIndex) {
        for &handle in self.handles.iter().take(self.requested) {
            index.remove(self.reason, handle);
        }
        self.requested = 0;
    }
}

impl<'c> KeyQueue<'c> {
    /// A queue whose first record is running.
    pub(crate) fn new() -> Self {
        Self { is_running: true, is_full: false, waiting: VecDeque::new(), spilled: None }
    }

    /// Takes a record that follows all others.
    pub(crate) fn push(&mut self, task: Task<'c>) {
        self.waiting.push_back(task);
    }

    /// The same, for queues that spill: the task comes back where others are spilled, or as many as `bound` wait; its
    /// record is read again in its turn.
    pub(crate) fn push_up_to(&mut self, bound: usize, task: Task<'c>) -> Option<Task<'c>> {
        if self.spilled.is_none() && self.waiting.len() < bound {
            self.push(task);
            return None;
        }
        self.spilled_mut().handles.push_back(task.handle);
        Some(task)
    }

    /// Takes a record that was read again, after those in memory. It comes back where it is to run now.
    pub(crate) fn accept_spilled(&mut self, task: Task<'c>) -> Option<Task<'c>> {
        if self.is_running {
            self.waiting.push_back(task);
            return None;
        }
        self.is_running = true;
        Some(task)
    }

    /// How many records are spilled.
    pub(crate) fn spilled(&self) -> usize {
        self.spilled.as_ref().map_or(0, |spilled| spilled.handles.len())
    }

    /// Whether nothing is left.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_running && self.spilled.is_none()
    }

    /// Whether as many as `bound` wait, or no more than half, since the last call.
    pub(crate) fn backpressure(&mut self, bound: usize) -> Option<Backpressure> {
        let change = match self.is_full {
            false if self.waiting.len() >= bound => Backpressure::Full,
            true if self.waiting.len() <= bound / 2 => Backpressure::Drained,
            _ => return None,
        };
        self.is_full = change == Backpressure::Full;
        Some(change)
    }

    /// The running record is done. The next one, which runs now; where it is not in memory, its read is requested.
    pub(crate) fn advance(&mut self, key_hash: u64, index: &mut SpillIndex) -> Option<Task<'c>> {
        let next = self.waiting.pop_front();
        self.is_running = next.is_some();
        self.request_read(key_hash, index);
        next
    }

    /// Spills the running record, and with it what waits for it, which is returned.
    pub(crate) fn spill(
        &mut self,
        key_hash: u64,
        handle: RecordHandle,
        request: SpillRequest,
        index: &mut SpillIndex,
    ) -> Vec<Task<'c>> {
        let waiting = self.relieve_pressure(index);
        self.is_running = false;
        let spilled = self.spilled_mut();
        spilled.withdraw(index);
        spilled.handles.push_front(handle);
        spilled.requested = 1;
        spilled.reason = WaitReason::Destination(request.queue);
        index.insert(spilled.reason, handle, key_hash, request.resume_token);
        waiting
    }

    /// Spills what waits in memory, and returns it.
    pub(crate) fn relieve_pressure(&mut self, index: &mut SpillIndex) -> Vec<Task<'c>> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let waiting: Vec<_> = self.waiting.drain(..).collect();
        let spilled = self.spilled_mut();
        spilled.withdraw(index);
        for task in waiting.iter().rev() {
            spilled.handles.push_front(task.handle);
        }
        waiting
    }

    /// Takes the first of what is spilled, if it is this record; whether it was.
    pub(crate) fn take_first(&mut self, handle: RecordHandle) -> bool {
        let Some(spilled) = &mut self.spilled else { return false };
        let is_first = spilled.handles.front().is_some_and(|first| first.offset == handle.offset);
        if is_first {
            spilled.handles.pop_front();
            spilled.requested = spilled.requested.saturating_sub(1);
            self.drop_empty_spill();
        }
        is_first
    }

    /// Requests the first spilled records to be read again, where nothing runs.
    pub(crate) fn request_read(&mut self, key_hash: u64, index: &mut SpillIndex) {
        if let Some(spilled) = &mut self.spilled
            && !self.is_running
        {
            spilled.request(key_hash, index);
        }
    }

    /// Drops what is no longer owned, as the spill index did before: handles in memory go to `dropped`.
    pub(crate) fn retain(&mut self, is_owned: impl Fn(RecordHandle) -> bool, dropped: &mut Vec<RecordHandle>) {
        self.is_full &= !drop_revoked(&mut self.waiting, |task| task.handle, &is_owned, dropped);
        if let Some(spilled) = &mut self.spilled {
            let requested = spilled.handles.iter().take(spilled.requested);
            spilled.requested = requested.filter(|&&handle| is_owned(handle)).count();
            spilled.handles.retain(|&handle| is_owned(handle));
            self.drop_empty_spill();
        }
    }

    fn spilled_mut(&mut self) -> &mut Spilled {
        let none = || Box::new(Spilled { handles: VecDeque::new(), requested: 0, reason: WaitReason::Ready });
        self.spilled.get_or_insert_with(none)
    }

    fn drop_empty_spill(&mut self) {
        self.spilled.take_if(|spilled| spilled.handles.is_empty());
    }
}
