//! The engine: one loop that polls, hands records to the scheduler, counts what is done, commits, and drains partitions
//! that are revoked.

mod drain;
mod rebalance;

use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::Stream;
use millrace_domain::{DeadLetterClass, ErrorClass};
use millrace_kafka::error::{ClientError, class_of};
use millrace_kafka::{KafkaError, KafkaSettings, Record, is_group_member};
use rdkafka::consumer::{Consumer as _, MessageStream, StreamConsumer};
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::drain::DrainDeadline;
use self::rebalance::Revocation;
use crate::assignment::watch::AssignmentWatch;
use crate::assignment::{Assignment, RecordHandle};
use crate::broker_watch::BrokerWatch;
use crate::commit::{OffsetCommitter, Output};
use crate::context::{Context, RebalanceEvent};
use crate::dlq::cause::Cause;
use crate::error::ConsumerError;
use crate::group_member::GroupMember;
use crate::membership_watch::MembershipWatch;
use crate::options::{ConsumerOptions, GroupProtocol, Subscription};
use crate::partition_ends::PartitionEnds;
use crate::progress::Progress;
use crate::scheduler::{Backpressure, Completion, Scheduler, TaskOutcome};
use crate::spill::engine::DrainRate;
use crate::spill::pressure::MemoryPressure;
use crate::spill::reader::SpillReader;
use crate::start_offsets::{OffsetSource, PendingAssignment};
use crate::telemetry::{Levels, MemberMetrics};

/// Records and completed tasks served before the loop looks at its other duties.
const POLL_BUDGET: usize = 512;

/// How many records are polled before completed tasks are looked at.
const POLL_BATCH: usize = 32;

/// How long the loop may leave the client unpolled because too much is in flight. After that the partitions are
/// paused, so that rebalances are served and `max.poll.interval.ms` is kept.
const STALL_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the same failure to poll is logged.
const POLL_FAILURE_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How often it is logged that a member has not joined its group yet.
const JOIN_LOG_INTERVAL: Duration = Duration::from_secs(30);

/// How long a commit may stay unanswered when a revocation, or the end of the process, waits for it.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Polls the client, owns the assignment, commits: the consumer's one loop.
pub(crate) struct Engine<'c, S, C> {
    client: &'c StreamConsumer<Context>,
    stream: MessageStream<'c, Context>,
    pub(crate) scheduler: S,
    watch: AssignmentWatch,
    pub(crate) assignment: Assignment,
    pub(crate) committer: C,
    offset_source: &'c dyn OffsetSource,
    ends: PartitionEnds,
    pub(crate) options: &'c ConsumerOptions,
    /// The consumer's name.
    pub(crate) name: &'c str,
    /// The topics of this member.
    topics: &'c [String],
    progress: &'c Progress,
    /// Whether the group has answered this member, be it with no partitions.
    has_joined: bool,
    /// Since when the group has not answered, or when that was last logged.
    unjoined_since: Instant,
    membership: MembershipWatch,
    brokers: BrokerWatch,
    metrics: MemberMetrics,
    pub(crate) revocation: Option<Revocation>,
    /// An assignment or a seek whose start offsets are being looked up.
    pending: Option<PendingAssignment<'c>>,
    pub(crate) pressure: MemoryPressure,
    pub(crate) spill_reader: SpillReader<'c>,
    pub(crate) drain_rate: DrainRate,
    pub(crate) draining: Option<DrainDeadline>,
    /// Since when a drain only waits for its last commit.
    settling_since: Option<Instant>,
    stalled_since: Option<Instant>,
    paused: bool,
    dead_letter_run: u64,
    /// The last failure that was logged, and when.
    poll_failure: Option<(Option<RDKafkaErrorCode>, Instant)>,
    end: Option<ConsumerError>,
}

/// What an engine is given beside its scheduler and its committer.
pub(crate) struct EngineContext<'c> {
    pub(crate) kafka: &'c KafkaSettings,
    pub(crate) member: &'c GroupMember,
    /// Where the engine publishes what is owned.
    pub(crate) assignment: AssignmentWatch,
    pub(crate) pressure: MemoryPressure,
    pub(crate) options: &'c ConsumerOptions,
    pub(crate) subscription: &'c Subscription,
    pub(crate) progress: &'c Progress,
    pub(crate) offset_source: &'c dyn OffsetSource,
    pub(crate) metrics: MemberMetrics,
}

/// It owns nothing any more: gauges must not say so.
impl<S, C> Drop for Engine<'_, S, C> {
    fn drop(&mut self) {
        self.metrics.set(Levels::default());
    }
}

impl<'c, S, C> Engine<'c, S, C>
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    pub(crate) fn new(context: &EngineContext<'c>, scheduler: S, committer: C) -> Self {
        let EngineContext { options, progress, offset_source, .. } = *context;
        let client = &*context.member.client;
        Self {
            client,
            stream: client.stream(),
            scheduler,
            watch: context.assignment.clone(),
            assignment: Assignment::new(committer.policy()),
            committer,
            offset_source,
            ends: context.member.ends(),
            options,
            name: &context.subscription.name,
            topics: &context.subscription.topics,
            progress,
            has_joined: false,
            unjoined_since: Instant::now(),
            membership: context.member.watch(),
            brokers: context.member.brokers(context.kafka),
            metrics: context.metrics.clone(),
            revocation: None,
            pending: None,
            pressure: context.pressure.clone(),
            spill_reader: SpillReader::new(context.kafka),
            drain_rate: DrainRate::default(),
            draining: None,
            settling_since: None,
            stalled_since: None,
            paused: false,
            dead_letter_run: 0,
            poll_failure: None,
            end: None,
        }
    }

    /// Runs until `shutdown` and the drain after it, or until it cannot go on.
    pub(crate) async fn run(mut self, shutdown: &CancellationToken) -> Result<(), ConsumerError> {
        let mut ticks = tokio::time::interval(self.options.commit_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = std::future::poll_fn(|context| self.poll_work(context)) => tokio::task::yield_now().await,
                _ = ticks.tick() => self.tick(),
                () = shutdown.cancelled(), if self.draining.is_none() => self.begin_drain()?,
            }
            self.assign()?;
            self.serve_events()?;
            self.advance_revocation()?;
            self.begin_seek();
            self.read_spilled();
            if self.committer.policy().is_eager() {
                self.commit();
            }
            if let Some(error) = self.end.take() {
                return Err(error);
            }
            if self.is_drained() {
                return Ok(());
            }
        }
    }

    /// Serves completed tasks and new records until there are none, an event waits, or [`POLL_BUDGET`] is spent.
    fn poll_work(&mut self, context: &mut task::Context<'_>) -> Poll<()> {
        let mut served = 0;
        loop {
            let before = served;
            while (served < POLL_BUDGET || self.scheduler.is_completing())
                && self.end.is_none()
                && let Poll::Ready((completion, backpressure)) = self.scheduler.poll_completion(context)
            {
                served += 1;
                self.complete(completion, backpressure);
            }
            let mut polled = 0;
            while polled < POLL_BATCH
                && self.may_poll()
                && let Poll::Ready(Some(message)) = Pin::new(&mut self.stream).poll_next(context)
            {
                polled += 1;
                match message {
                    Ok(message) => self.take(message),
                    Err(error) => self.polling_failed(error),
                }
            }
            served += polled;
            if self.pending.as_mut().is_some_and(|pending| pending.poll_resolved(context).is_ready()) {
                return Poll::Ready(());
            }
            if let Poll::Ready(read) = self.spill_reader.poll(context) {
                if let Some((request, result)) = read {
                    self.accept_spilled(&request, result);
                }
                return Poll::Ready(());
            }
            if let Poll::Ready(committed) = self.committer.poll(context, &mut self.assignment) {
                served += 1;
                if let Err(error) = committed {
                    self.end.get_or_insert(error);
                }
            }
            if served >= POLL_BUDGET || self.client.context().has_events() || self.end.is_some() {
                return Poll::Ready(());
            }
            if served == before {
                return if served > 0 { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    }

    /// A paused or draining consumer polls on: rebalances and answers to commits come that way.
    fn may_poll(&self) -> bool {
        self.paused || self.draining.is_some() || self.has_capacity()
    }

    /// Whether more may be in flight.
    pub(crate) fn has_capacity(&self) -> bool {
        let (records, bytes) = self.assignment.load();
        records + self.committer.waiting() < self.options.max_in_flight
            && bytes < self.options.max_in_flight_bytes
            && self.has_spill_capacity()
    }

    /// Whether more may be read although it may have to be spilled.
    fn has_spill_capacity(&self) -> bool {
        self.scheduler.spilled() <= self.options.max_spilled
    }

    fn take(&mut self, message: BorrowedMessage<'c>) {
        if self.draining.is_some() {
            return;
        }
        let bytes = message.payload_len() + message.key_len();
        let acquired = self.assignment.acquire(message.topic(), message.partition(), message.offset(), bytes);
        // The client's queue may still hold records of a revoked partition: its next owner reads them.
        let Some(handle) = acquired else { return };
        if self.assignment.take_restarted() {
            self.assignment_changed();
        }
        let backpressure = self.scheduler.take(handle, Record::from(message));
        self.apply_backpressure(handle.slot, backpressure);
        if !self.has_capacity() {
            self.scheduler.capacity_reached();
        }
    }

    fn complete(&mut self, completion: Completion<S::Product>, backpressure: Option<Backpressure>) {
        let Completion { handle, outcome } = completion;
        if !matches!(outcome, TaskOutcome::Spilled(_)) {
            self.drain_rate.records += 1;
            self.drain_rate.bytes += handle.bytes;
        }
        match outcome {
            TaskOutcome::Done(product) => {
                self.done(handle, Output::Product(product));
                self.progress.count(false);
                self.metrics.done.increment(1);
                self.dead_letter_run = 0;
            }
            TaskOutcome::DeadLettered { cause, letter } => {
                self.done(handle, letter.map_or(Output::Nothing, Output::Letter));
                self.count_dead_letter(handle, cause);
            }
            TaskOutcome::Spilled(_) => self.assignment.end(handle, false),
            TaskOutcome::Abandoned => self.abandon(handle),
            TaskOutcome::OffsetMismatch => {
                self.abandon(handle);
                self.assignment.set_offset_mismatch(handle);
            }
            TaskOutcome::DeadLetterRefused(reason) => {
                self.assignment.end(handle, false);
                self.end.get_or_insert(ConsumerError::DeadLetterRefused(reason));
            }
            TaskOutcome::Halt(reason) => {
                self.assignment.end(handle, false);
                self.halt(reason);
            }
        }
        let limit = self.options.dead_letter_limit;
        if limit > 0 && self.dead_letter_run >= limit {
            self.halt(format!("{limit} records in a row were refused for good (--dead-letter-limit)"));
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
        self.metrics.abandoned.increment(1);
    }

    fn count_dead_letter(&mut self, handle: RecordHandle, cause: Cause) {
        self.progress.count(true);
        self.metrics.dead_letter(&self.assignment.slot_mut(handle.slot).topic, cause);
        // What a destination that is down refuses, or retention deletes, is not the deploy's fault.
        self.dead_letter_run += u64::from(cause.class() == DeadLetterClass::Permanent && cause != Cause::Deleted);
    }

    fn halt(&mut self, reason: String) {
        self.end.get_or_insert(ConsumerError::Halted(reason));
    }

    /// The group has answered this member, or has nothing to answer.
    fn set_joined(&mut self) {
        if !std::mem::replace(&mut self.has_joined, true) {
            self.progress.member_joined();
        }
    }

    fn polling_failed(&mut self, error: RdKafkaError) {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::UnknownTopicOrPartition) {
            // Without its topic a member does not join: it waits for the topic.
            self.set_joined();
        }
        if self.options.group_protocol == GroupProtocol::Consumer
            && matches!(code, Some(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion))
        {
            self.end.get_or_insert(ConsumerError::GroupProtocol);
        }
        if code == Some(RDKafkaErrorCode::FencedInstanceId) {
            self.end.get_or_insert(ConsumerError::InstanceFenced);
        }
        let fatal = matches!(error, RdKafkaError::MessageConsumptionFatal(_))
            || code.is_some_and(|code| class_of(code) == ErrorClass::Fatal);
        if fatal {
            self.end.get_or_insert(KafkaError::call("reading from Kafka")(error).into());
        } else {
            // The client retries by itself, and fails anew with each attempt.
            let now = Instant::now();
            let is_new = self
                .poll_failure
                .is_none_or(|(known, logged)| known != code || now.duration_since(logged) >= POLL_FAILURE_LOG_INTERVAL);
            if is_new {
                self.poll_failure = Some((code, now));
                tracing::warn!(consumer = self.name, error = %ClientError(error), "polling failed, retrying");
            }
        }
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
        if self.paused || (before == 0) == (after == 0) {
            return;
        }
        let list = self.assignment.list(&[slot]);
        let result = if after > 0 { self.client.pause(&list) } else { self.client.resume(&list) };
        if let Err(error) = result {
            tracing::warn!(error = %ClientError(error), "pausing or resuming a partition failed");
        }
    }

    fn commit(&mut self) {
        let closing = self.draining.is_some() || self.revocation.is_some();
        self.committer.commit(&mut self.assignment, closing);
    }

    fn tick(&mut self) {
        if !self.has_joined && self.options.group_protocol == GroupProtocol::Consumer && is_group_member(self.client) {
            self.set_joined();
        }
        self.log_unjoined();
        self.read_positions();
        self.scheduler.scan_queued();
        self.commit();
        let (in_flight, in_flight_bytes) = self.assignment.load();
        self.ask_ends();
        let (lag, spilled, owned) = (self.lag(), self.scheduler.spilled(), self.assignment.owned());
        self.metrics.set(Levels { lag, owned, in_flight, in_flight_bytes, spilled });
        self.relieve_pressure();
        self.watch_stall();
        self.watch_membership();
        self.brokers.tick();
    }

    fn log_unjoined(&mut self) {
        if !self.has_joined && self.draining.is_none() && self.unjoined_since.elapsed() >= JOIN_LOG_INTERVAL {
            self.unjoined_since = Instant::now();
            tracing::warn!(consumer = self.name, topics = ?self.topics, "the group has not taken this member in yet");
        }
    }

    /// Ends this member where its client owns nothing and does not join again.
    fn watch_membership(&mut self) {
        let is_settled = self.pending.is_none() && self.revocation.is_none() && !self.committer.is_committing();
        if self.assignment.owned() > 0 || !is_settled || self.draining.is_some() {
            self.membership.reset();
        } else if self.membership.is_lost() {
            self.end.get_or_insert(ConsumerError::MembershipLost(self.options.rejoin_timeout));
        }
    }

    /// Asks for the ends of the owned partitions while fetches do not tell them.
    fn ask_ends(&mut self) {
        let owned = self.assignment.owned_slots();
        let is_fetching = !self.paused && self.has_capacity();
        if !is_fetching || owned.iter().any(|&slot| self.assignment.slot_mut(slot).full_queues > 0) {
            self.ends.ask(self.assignment.list(&owned));
        } else {
            self.ends.forget();
        }
    }

    /// Offsets between what is committed and the ends of the owned partitions, as far as the ends are known.
    fn lag(&self) -> i64 {
        let behind = |(topic, partition, committed): (&str, i32, i64)| {
            let end = self.ends.of(topic, partition)?;
            Some((end - committed).max(0))
        };
        self.assignment.committed_offsets().filter_map(behind).sum()
    }

    /// The client's positions pass transaction markers, which are never delivered, in the order of records.
    fn read_positions(&mut self) {
        // A consumer that drains drops what it polls.
        if self.draining.is_some() {
            return;
        }
        match self.client.position() {
            Ok(positions) => {
                for element in positions.elements() {
                    let position = if let Offset::Offset(offset) = element.offset() { Some(offset) } else { None };
                    self.assignment.reached(element.topic(), element.partition(), position);
                }
            }
            Err(error) => tracing::debug!(error = %ClientError(error), "reading the client's positions failed"),
        }
    }

    /// Pauses everything when too much has been in flight for [`STALL_TIMEOUT`], and resumes when half of it is done.
    fn watch_stall(&mut self) {
        let (records, bytes) = self.assignment.load();
        if self.paused {
            let is_half_empty =
                records <= self.options.max_in_flight / 2 && bytes <= self.options.max_in_flight_bytes / 2;
            if is_half_empty && self.has_spill_capacity() {
                self.set_paused(false);
            }
        } else if self.has_capacity() {
            self.stalled_since = None;
        } else if self.stalled_since.get_or_insert_with(Instant::now).elapsed() >= STALL_TIMEOUT {
            self.set_paused(true);
        }
    }

    fn set_paused(&mut self, paused: bool) {
        let mut slots = self.assignment.owned_slots();
        // Those with a full key queue stay paused.
        slots.retain(|&slot| paused || self.assignment.slot_mut(slot).full_queues == 0);
        let list = self.assignment.list(&slots);
        let result = if paused { self.client.pause(&list) } else { self.client.resume(&list) };
        match result {
            Ok(()) => {
                self.paused = paused;
                self.stalled_since = None;
                tracing::debug!(paused, "back-pressure: in-flight limit");
            }
            Err(error) => tracing::warn!(error = %ClientError(error), "pausing or resuming all partitions failed"),
        }
    }

    fn serve_events(&mut self) -> Result<(), ConsumerError> {
        if self.client.context().has_rebalance() {
            // A rebalance does not wait for a store: a seek that is not resolved yet begins anew afterwards, if the
            // partition is still owned.
            self.pending.take_if(|pending| pending.is_seek());
        }
        // A rebalance that is being answered must end before the next one begins.
        while self.revocation.is_none()
            && self.pending.is_none()
            && let Some(event) = self.client.context().next_event()
        {
            match event {
                RebalanceEvent::Assign(list) => self.begin_assignment(list)?,
                RebalanceEvent::Revoke(list) => self.begin_revocation(list)?,
                RebalanceEvent::Committed(result) => self.committer.answered(result, &mut self.assignment),
            }
        }
        Ok(())
    }

    fn begin_drain(&mut self) -> Result<(), ConsumerError> {
        self.read_positions();
        let (records, _) = self.assignment.load();
        tracing::info!(consumer = self.name, in_flight = records, "stopping, draining what is in flight");
        let slots = self.assignment.owned_slots();
        self.draining = Some(DrainDeadline::begin(slots.clone(), self.options.drain_deadline));
        self.drop_queued(&slots);
        self.spill_reader.stop();
        self.cancel_assignment()
    }

    fn is_drained(&mut self) -> bool {
        let Some(draining) = &self.draining else { return false };
        let is_overdue = draining.is_overdue();
        let (records, _) = self.assignment.load();
        if records > 0 && !is_overdue {
            return false;
        }
        if records > 0 && self.settling_since.is_none() {
            tracing::warn!(records, "drain deadline passed; unfinished records are left uncommitted and read again");
        }
        self.commit();
        let is_settled = !self.committer.is_committing() && self.assignment.uncommitted().is_empty();
        is_settled || self.settling_since.get_or_insert_with(Instant::now).elapsed() >= COMMIT_TIMEOUT
    }
}
