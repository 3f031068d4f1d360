//! The engine: one loop that polls, hands records to the scheduler, counts what is done, commits, and drains partitions
//! that are revoked.
//!
//! | field | holds |
//! |---|---|
//! | `client`, `records` | the group member's client, and what it has fetched |
//! | `scheduler` | the mode: how records become tasks |
//! | `committer` | the mode: how offsets are committed |
//! | `assignment` | whose each partition is, what is in flight, and how far it is done |
//! | `rebalance` | the assignment, seek or revocation that is being answered |
//! | `flow` | how much may be in flight |
//! | `spill` | what left memory, and is read again |
//! | `member` | what the group knows of this member, and what is told of it |
//! | `stop` | why and when it ends |

pub(crate) mod flow;
pub(crate) mod member;
#[cfg(test)]
mod model;
mod rebalance;
mod stop;

use std::task::{self, Poll};

use futures_util::StreamExt as _;
use millrace_kafka::Record;
use millrace_kafka::error::ClientError;
use rdkafka::Offset;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::flow::Flow;
use self::member::{Member, Queries};
use self::rebalance::Rebalance;
use self::stop::Stop;
use crate::assignment::watch::AssignmentWatch;
use crate::assignment::{Assignment, RecordHandle};
use crate::client::{Client, Records};
use crate::commit::{OffsetCommitter, Output};
use crate::error::ConsumerError;
use crate::options::{ConsumerOptions, Subscription};
use crate::progress::Progress;
use crate::scheduler::{Backpressure, Completion, Scheduler, TaskOutcome};
use crate::spill::pressure::MemoryPressure;
use crate::spill::{Spill, SpilledRecords};
use crate::start_offsets::OffsetSource;
use crate::telemetry::{Levels, MemberMetrics};

/// Records and completed tasks served before the loop looks at its other duties.
const POLL_BUDGET: usize = 512;

/// How many records are polled before completed tasks are looked at.
const POLL_BATCH: usize = 32;

/// Polls the client, owns the assignment, commits: the consumer's one loop.
pub(crate) struct Engine<'c, S, C> {
    client: &'c dyn Client,
    records: Records<'c>,
    scheduler: S,
    committer: C,
    assignment: Assignment,
    rebalance: Rebalance<'c>,
    flow: Flow,
    spill: Spill,
    member: Member<'c>,
    stop: Stop,
}

/// What an engine is given beside its scheduler and its committer.
pub(crate) struct EngineContext<'c> {
    pub(crate) client: &'c dyn Client,
    /// Where partitions start.
    pub(crate) offset_source: &'c dyn OffsetSource,
    /// Where the engine publishes what is assigned.
    pub(crate) assignment: AssignmentWatch,
    pub(crate) pressure: MemoryPressure,
    pub(crate) options: &'c ConsumerOptions,
    pub(crate) subscription: &'c Subscription,
    pub(crate) progress: &'c Progress,
    pub(crate) metrics: MemberMetrics,
}

/// It owns nothing any more: gauges must not say so.
impl<S, C> Drop for Engine<'_, S, C> {
    fn drop(&mut self) {
        self.member.metrics.set(Levels::default());
    }
}

impl<'c, S, C> Engine<'c, S, C>
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    pub(crate) fn new(
        context: &EngineContext<'c>,
        records: Records<'c>,
        queries: Box<dyn Queries + 'c>,
        spilled: Box<dyn SpilledRecords>,
        scheduler: S,
        committer: C,
    ) -> Self {
        let EngineContext { client, offset_source, options, subscription, progress, .. } = *context;
        let policy = committer.policy();
        Self {
            client,
            records,
            scheduler,
            committer,
            assignment: Assignment::new(policy, context.assignment.clone()),
            rebalance: Rebalance::new(offset_source),
            flow: Flow::new(options, policy),
            spill: Spill::new(context.pressure.clone(), spilled),
            member: Member::new(options, subscription, progress, context.metrics.clone(), queries),
            stop: Stop::new(options.dead_letter_limit),
        }
    }

    /// Runs until `shutdown` and the drain after it, or until it cannot go on.
    pub(crate) async fn run(mut self, shutdown: &CancellationToken) -> Result<(), ConsumerError> {
        let mut ticks = tokio::time::interval(self.member.options.commit_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = std::future::poll_fn(|context| self.poll_work(context)) => tokio::task::yield_now().await,
                _ = ticks.tick() => self.tick(),
                () = shutdown.cancelled(), if !self.stop.is_draining() => self.begin_drain()?,
            }
            if self.turn()? {
                return Ok(());
            }
        }
    }

    /// What is to be done after each wake-up, in this order; whether the engine has ended.
    fn turn(&mut self) -> Result<bool, ConsumerError> {
        // First: a revocation waits for them, and a commit that is not known to be answered is not followed by another.
        self.take_commit_answers();
        // Before further rebalances: one that is being answered must end before the next one begins, or the client would
        // be told of partitions in another order than the group has said.
        self.advance_rebalance()?;
        // Before seeks and reads: what is revoked is not to be sought, nor read again.
        self.begin_rebalances()?;
        self.begin_seek();
        // Nothing is read while partitions are given back: it would only be in the way.
        let may_read = !self.rebalance.is_revoking();
        self.spill.read_next(may_read, &self.flow, &mut self.assignment, &mut self.scheduler);
        // After all that could have been done is counted: a transaction takes what there is.
        if self.committer.policy().is_eager() {
            self.commit(false);
        }
        // After the commit, which does not depend on why it ends.
        if let Some(error) = self.stop.take_error() {
            return Err(error);
        }
        // Last: nothing may be in flight, and all that is done be committed.
        Ok(self.is_drained())
    }

    /// Serves completed tasks and new records until there are none, an event waits, or [`POLL_BUDGET`] is spent.
    fn poll_work(&mut self, context: &mut task::Context<'_>) -> Poll<()> {
        let mut served = 0;
        loop {
            let before = served;
            // Completed tasks first: they make room for what is polled.
            while (served < POLL_BUDGET || self.scheduler.is_completing())
                && !self.stop.has_failed()
                && let Poll::Ready((completion, backpressure)) = self.scheduler.poll_completion(context)
            {
                served += 1;
                self.complete(completion, backpressure);
            }
            let mut polled = 0;
            while polled < POLL_BATCH
                && self.may_poll()
                && let Poll::Ready(Some(record)) = self.records.poll_next_unpin(context)
            {
                polled += 1;
                match record {
                    Ok(record) => self.take(record),
                    Err(error) => {
                        if let Err(error) = self.member.polling_failed(error) {
                            self.stop.fail(error);
                        }
                    }
                }
            }
            served += polled;
            if self.rebalance.poll(context).is_ready() {
                return Poll::Ready(());
            }
            if self.spill.poll(context, &mut self.assignment, &mut self.scheduler).is_ready() {
                return Poll::Ready(());
            }
            if let Poll::Ready(committed) = self.committer.poll(context, &mut self.assignment) {
                served += 1;
                if let Err(error) = committed {
                    self.stop.fail(error);
                }
            }
            if served >= POLL_BUDGET || self.has_events() || self.stop.has_failed() {
                return Poll::Ready(());
            }
            if served == before {
                return if served > 0 { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    }

    /// A paused or draining consumer polls on: rebalances and answers to commits come that way.
    fn may_poll(&self) -> bool {
        self.flow.is_paused() || self.stop.is_draining() || self.has_capacity()
    }

    fn has_capacity(&self) -> bool {
        self.flow.has_capacity(&self.assignment, &self.scheduler, self.committer.waiting())
    }

    fn take(&mut self, record: Record<'c>) {
        if self.stop.is_draining() {
            return;
        }
        let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
        // The client's queue may still hold records of a revoked partition: its next owner reads them.
        let Some(handle) = self.assignment.acquire(topic, partition, offset, record.size()) else { return };
        if self.assignment.take_restarted() {
            self.assignment_changed();
        }
        let backpressure = self.scheduler.take(handle, record);
        self.apply_backpressure(handle.slot, backpressure);
        if !self.has_capacity() {
            self.scheduler.capacity_reached();
        }
    }

    fn complete(&mut self, completion: Completion<S::Product>, backpressure: Option<Backpressure>) {
        let Completion { handle, outcome } = completion;
        if !matches!(outcome, TaskOutcome::Spilled(_)) {
            self.spill.left_flight(handle.bytes);
        }
        match outcome {
            TaskOutcome::Done(product) => {
                self.done(handle, Output::Product(product));
                self.member.progress.count(false);
                self.member.metrics.done.increment(1);
                self.stop.processed();
            }
            TaskOutcome::DeadLettered { cause, letter } => {
                self.done(handle, letter.map_or(Output::Nothing, Output::Letter));
                self.member.progress.count(true);
                self.member.metrics.dead_letter(&self.assignment.slot_mut(handle.slot).topic, cause);
                self.stop.refused(cause);
            }
            TaskOutcome::Spilled(_) => self.assignment.end(handle, false),
            TaskOutcome::Abandoned => self.abandon(handle),
            TaskOutcome::OffsetMismatch => {
                self.abandon(handle);
                self.assignment.set_offset_mismatch(handle);
            }
            TaskOutcome::DeadLetterRefused(reason) => {
                self.assignment.end(handle, false);
                self.stop.fail(ConsumerError::DeadLetterRefused(reason));
            }
            TaskOutcome::Halt(reason) => {
                self.assignment.end(handle, false);
                self.stop.fail(ConsumerError::Halted(reason));
            }
        }
        self.apply_backpressure(handle.slot, backpressure);
    }

    fn done(&mut self, handle: RecordHandle, output: Output<S::Product>) {
        self.assignment.end(handle, true);
        // The output of a partition that has another owner by now is made there again.
        if self.assignment.epoch(handle.slot) == handle.epoch {
            self.committer.stage(handle, output);
        }
    }

    fn abandon(&mut self, handle: RecordHandle) {
        self.assignment.end(handle, false);
        self.member.metrics.abandoned.increment(1);
    }

    /// A full key queue pauses its partition: memory is bounded even where one key never moves.
    fn apply_backpressure(&mut self, slot: usize, backpressure: Option<Backpressure>) {
        let Some(backpressure) = backpressure else { return };
        let state = self.assignment.slot_mut(slot);
        let before = state.full_queues;
        state.full_queues = match backpressure {
            Backpressure::Full => before + 1,
            Backpressure::Drained => before.saturating_sub(1),
        };
        let after = state.full_queues;
        if !self.flow.is_paused() && (before == 0) != (after == 0) {
            self.set_paused(&[slot], after > 0);
        }
    }

    /// Pauses or resumes partitions; whether that was done.
    fn set_paused(&self, slots: &[usize], is_paused: bool) -> bool {
        let list = self.assignment.list(slots);
        let result = if is_paused { self.client.pause(&list) } else { self.client.resume(&list) };
        let failed =
            |error| tracing::warn!(error = %ClientError(error), is_paused, "pausing or resuming partitions failed");
        result.map_err(failed).is_ok()
    }

    /// Commits what is done; `is_closing` where a revocation waits for it.
    fn commit(&mut self, is_closing: bool) {
        let is_closing = is_closing || self.stop.is_draining() || self.rebalance.is_revoking();
        self.committer.commit(&mut self.assignment, is_closing);
    }

    fn tick(&mut self) {
        self.member.tick(|| self.client.is_member());
        // Before the commit: markers of transactions count as done.
        self.read_positions();
        self.scheduler.scan_queued();
        self.commit(false);
        self.publish_levels();
        // Before it is looked at whether all is to be paused: what is spilled makes room.
        self.spill.tick(&self.flow, &self.assignment, &mut self.scheduler);
        self.watch_flow();
        self.watch_membership();
    }

    fn publish_levels(&mut self) {
        let owned = self.assignment.owned_slots();
        let is_fetching = !self.flow.is_paused() && self.has_capacity();
        let has_full_queue = owned.iter().any(|&slot| self.assignment.slot_mut(slot).full_queues > 0);
        // Each fetch tells the end of its partition. What is paused is not fetched.
        let asked = (!is_fetching || has_full_queue).then(|| self.assignment.list(&owned));
        self.member.queries.ask_ends(asked);
        let behind = |(topic, partition, committed): (&str, i32, i64)| {
            let end = self.member.queries.end_of(topic, partition)?;
            Some((end - committed).max(0))
        };
        let lag = self.assignment.committed_offsets().filter_map(behind).sum();
        let (in_flight, in_flight_bytes) = self.assignment.load();
        let (owned, spilled) = (owned.len(), self.scheduler.spilled());
        self.member.metrics.set(Levels { lag, owned, in_flight, in_flight_bytes, spilled });
    }

    /// Ends this member where its client owns nothing and does not join again.
    fn watch_membership(&mut self) {
        let is_settled = self.rebalance.is_idle() && !self.committer.is_committing();
        let is_asked = self.assignment.owned() == 0 && is_settled && !self.stop.is_draining();
        if self.member.queries.is_lost(is_asked) {
            self.stop.fail(ConsumerError::MembershipLost(self.member.options.rejoin_timeout));
        }
    }

    /// The client's positions pass transaction markers, which are never delivered, in the order of records.
    fn read_positions(&mut self) {
        // A consumer that drains drops what it polls.
        if self.stop.is_draining() {
            return;
        }
        match self.client.positions() {
            Ok(positions) => {
                for element in positions.elements() {
                    let position = if let Offset::Offset(offset) = element.offset() { Some(offset) } else { None };
                    self.assignment.reached(element.topic(), element.partition(), position);
                }
            }
            Err(error) => tracing::debug!(error = %ClientError(error), "reading the client's positions failed"),
        }
    }

    /// Pauses everything where too much has been in flight for long, and resumes it.
    fn watch_flow(&mut self) {
        let waiting = self.committer.waiting();
        let Some(is_paused) = self.flow.watch(&self.assignment, &self.scheduler, waiting) else { return };
        let mut slots = self.assignment.owned_slots();
        // Those with a full key queue stay paused.
        slots.retain(|&slot| is_paused || self.assignment.slot_mut(slot).full_queues == 0);
        if self.set_paused(&slots, is_paused) {
            self.flow.set_paused(is_paused);
        }
    }

    fn begin_drain(&mut self) -> Result<(), ConsumerError> {
        self.read_positions();
        let (records, _) = self.assignment.load();
        tracing::info!(consumer = self.member.name(), in_flight = records, "stopping, draining what is in flight");
        self.stop.drain(self.member.options.drain_deadline);
        self.assignment.drain_all();
        self.assignment_changed();
        self.spill.stop();
        self.cancel_assignment()
    }

    fn is_drained(&mut self) -> bool {
        let (records, _) = self.assignment.load();
        if !self.stop.may_settle(records) {
            return false;
        }
        self.commit(true);
        let is_settled = !self.committer.is_committing() && self.assignment.uncommitted().is_empty();
        is_settled || self.stop.is_overdue()
    }
}
