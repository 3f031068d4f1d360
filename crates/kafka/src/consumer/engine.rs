//! The loop: poll, hand out work, count what is done, commit, and give partitions back in good order.

mod again;
mod leaving;
mod rebalance;

use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::Stream;
use millrace_domain::{DeadLetterClass, ErrorClass};
use rdkafka::consumer::{Consumer as _, MessageStream, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::again::Ended;
use self::leaving::Leaving;
use self::rebalance::Revocation;
use super::ConsumerError;
use super::again::Again;
use super::context::{Context, Notice};
use super::crowd::Crowd;
use super::options::{ConsumerOptions, Subscription};
use super::ownership::Ownership;
use super::partitions::{Lease, Partitions};
use super::progress::Progress;
use super::recorder::{Made, Recorder};
use super::resume::{Resume, Resuming};
use super::work::{Finished, Level, Verdict, Work};
use crate::error::{KafkaFailure, class_of};
use crate::record::Record;
use crate::settings::KafkaSettings;

/// Records and finished tasks served before the loop looks at its other duties.
const TURN: usize = 512;

/// How many records are polled before finished work is looked at.
const POLL_RUN: usize = 32;

/// How long the loop may leave the client unpolled because too much is in flight. After that the partitions are
/// paused, so that rebalances are served and the group does not take this member for dead.
const STALL: Duration = Duration::from_secs(1);

/// How long a commit may stay unanswered when partitions, or the end of the process, wait for it.
const COMMIT_WAIT: Duration = Duration::from_secs(2);

/// See the module's text.
pub(super) struct Engine<'c, W, R> {
    client: &'c StreamConsumer<Context>,
    stream: MessageStream<'c, Context>,
    work: W,
    ownership: Ownership,
    partitions: Partitions,
    recorder: R,
    /// Where partitions are taken up.
    resume: &'c dyn Resume,
    options: &'c ConsumerOptions,
    /// The consumer's name.
    name: &'c str,
    progress: &'c Progress,
    counters: Counters,
    revocation: Option<Revocation>,
    resuming: Option<Resuming<'c>>,
    crowd: Crowd,
    again: Again<'c>,
    ended: Ended,
    draining: Option<Leaving>,
    /// Since when a drain only waits for its last commit.
    settling_since: Option<Instant>,
    stalled_since: Option<Instant>,
    paused: bool,
    dead_letter_run: u64,
    end: Option<ConsumerError>,
}

struct Counters {
    done: metrics::Counter,
    dead_lettered: metrics::Counter,
    abandoned: metrics::Counter,
    gone: metrics::Counter,
    postponed: metrics::Gauge,
    in_flight: metrics::Gauge,
}

impl Counters {
    fn new(consumer: &str) -> Self {
        let records = |outcome: &'static str| metrics::counter!("millrace_consumer_records_total", "consumer" => consumer.to_owned(), "outcome" => outcome);
        Self {
            done: records("done"),
            dead_lettered: records("dead_lettered"),
            abandoned: records("abandoned"),
            gone: records("gone"),
            postponed: metrics::gauge!("millrace_consumer_postponed_records", "consumer" => consumer.to_owned()),
            in_flight: metrics::gauge!("millrace_consumer_in_flight_records", "consumer" => consumer.to_owned()),
        }
    }
}

/// What an engine has beside its mode.
pub(super) struct Frame<'c> {
    pub(super) kafka: &'c KafkaSettings,
    pub(super) client: &'c StreamConsumer<Context>,
    /// Where the engine says what is still wanted.
    pub(super) ownership: Ownership,
    /// Where it asks for room.
    pub(super) crowd: Crowd,
    pub(super) options: &'c ConsumerOptions,
    pub(super) subscription: &'c Subscription,
    pub(super) progress: &'c Progress,
    pub(super) resume: &'c dyn Resume,
}

impl<'c, W, R> Engine<'c, W, R>
where
    W: Work<'c>,
    R: Recorder<W::Product>,
{
    pub(super) fn new(frame: &Frame<'c>, work: W, recorder: R) -> Self {
        let Frame { client, options, progress, resume, .. } = *frame;
        Self {
            client,
            stream: client.stream(),
            work,
            ownership: frame.ownership.clone(),
            partitions: Partitions::new(R::TELLS_ALL),
            recorder,
            resume,
            options,
            name: &frame.subscription.name,
            progress,
            counters: Counters::new(&frame.subscription.name),
            revocation: None,
            resuming: None,
            crowd: frame.crowd.clone(),
            again: Again::new(frame.kafka),
            ended: Ended::default(),
            draining: None,
            settling_since: None,
            stalled_since: None,
            paused: false,
            dead_letter_run: 0,
            end: None,
        }
    }

    /// Runs until `shutdown` and the drain after it, or until it cannot go on.
    pub(super) async fn run(mut self, shutdown: CancellationToken) -> Result<(), ConsumerError> {
        let mut commits = tokio::time::interval(self.options.commit_interval);
        commits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = std::future::poll_fn(|context| self.turn(context)) => tokio::task::yield_now().await,
                _ = commits.tick() => self.tick(),
                () = shutdown.cancelled(), if self.draining.is_none() => self.begin_drain()?,
            }
            self.take_up()?;
            self.serve_notices()?;
            self.advance_revocation()?;
            self.take_up_anew();
            self.read_again();
            if R::EAGER {
                self.record();
            }
            if let Some(error) = self.end.take() {
                return Err(error);
            }
            if self.is_drained() {
                return Ok(());
            }
        }
    }

    /// Serves finished work and new records until there is nothing to do, something else to see to, or enough done.
    fn turn(&mut self, context: &mut task::Context<'_>) -> Poll<()> {
        let mut served = 0;
        loop {
            let before = served;
            while served < TURN
                && self.end.is_none()
                && let Poll::Ready((finished, level)) = self.work.poll_finished(context)
            {
                served += 1;
                self.finish(finished, level);
            }
            let mut run = 0;
            while run < POLL_RUN
                && self.may_poll()
                && let Poll::Ready(Some(polled)) = Pin::new(&mut self.stream).poll_next(context)
            {
                run += 1;
                match polled {
                    Ok(message) => self.take(message),
                    Err(error) => self.polling_failed(error),
                }
            }
            served += run;
            if self.resuming.as_mut().is_some_and(|resuming| resuming.poll_found(context).is_ready()) {
                return Poll::Ready(());
            }
            if let Poll::Ready(read) = self.again.poll(context) {
                if let Some((wanted, found)) = read {
                    self.take_again(&wanted, found);
                }
                return Poll::Ready(());
            }
            if let Poll::Ready(recorded) = self.recorder.poll(context, &mut self.partitions) {
                served += 1;
                if let Err(error) = recorded {
                    self.end.get_or_insert(error);
                }
            }
            if served >= TURN || self.client.context().has_notices() || self.end.is_some() {
                return Poll::Ready(());
            }
            if served == before {
                return if served > 0 { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    }

    /// A paused or draining consumer polls on: rebalances and commit answers come that way.
    fn may_poll(&self) -> bool {
        self.paused || self.draining.is_some() || self.has_room()
    }

    fn has_room(&self) -> bool {
        let (records, bytes) = self.partitions.load();
        records + self.recorder.waiting() < self.options.max_in_flight
            && bytes < self.options.max_in_flight_bytes
            && self.has_room_outside()
    }

    /// Whether more may be read although it may have to be postponed.
    fn has_room_outside(&self) -> bool {
        self.work.postponed() <= self.options.max_postponed
    }

    fn take(&mut self, message: BorrowedMessage<'c>) {
        if self.draining.is_some() {
            return;
        }
        let bytes = message.payload_len() + message.key_len();
        let claimed = self.partitions.lease(message.topic(), message.partition(), message.offset(), bytes);
        // A partition that leaves may still have records in the client's queue: its next owner reads them.
        let Some(lease) = claimed else { return };
        if self.partitions.take_restarted() {
            self.ownership_changed();
        }
        let level = self.work.take(lease, Record::from(message));
        self.level_changed(lease.slot, level);
    }

    fn finish(&mut self, finished: Finished<W::Product>, level: Option<Level>) {
        let Finished { lease, verdict } = finished;
        if !matches!(verdict, Verdict::Postponed(_)) {
            self.ended.records += 1;
            self.ended.bytes += lease.bytes;
        }
        match verdict {
            Verdict::Done(product) => {
                self.done(lease, Made::Product(product));
                self.count(None);
            }
            Verdict::DeadLettered { class, letter } => {
                self.done(lease, letter.map_or(Made::Nothing, Made::Letter));
                self.count(Some(class));
            }
            Verdict::Postponed(_) => self.partitions.end(lease, false),
            Verdict::Abandoned => self.abandon(lease),
            Verdict::Misplaced => {
                self.abandon(lease);
                self.partitions.set_aside(lease);
            }
            Verdict::Halt(reason) => {
                self.partitions.end(lease, false);
                self.halt(reason);
            }
        }
        let limit = self.options.dead_letter_limit;
        if limit > 0 && self.dead_letter_run >= limit {
            self.halt(format!("{limit} records in a row were refused for good (--dead-letter-limit)"));
        }
        self.level_changed(lease.slot, level);
    }

    fn done(&mut self, lease: Lease, made: Made<W::Product>) {
        self.partitions.end(lease, true);
        // What was made of a partition that has another owner by now is made there again.
        if self.partitions.epoch(lease.slot) == lease.epoch {
            self.recorder.stage(lease, made);
        }
    }

    fn abandon(&mut self, lease: Lease) {
        self.partitions.end(lease, false);
        self.counters.abandoned.increment(1);
    }

    fn count(&mut self, letter: Option<DeadLetterClass>) {
        self.progress.count(letter.is_some());
        match letter {
            None => {
                self.counters.done.increment(1);
                self.dead_letter_run = 0;
            }
            Some(class) => {
                self.counters.dead_lettered.increment(1);
                // Where something else is at fault, such as a destination that is down, the deploy is not.
                self.dead_letter_run += u64::from(class == DeadLetterClass::Permanent);
            }
        }
    }

    fn halt(&mut self, reason: String) {
        self.end.get_or_insert(ConsumerError::Halted(reason));
    }

    fn polling_failed(&mut self, error: KafkaError) {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_))
            || error.rdkafka_error_code().is_some_and(|code| class_of(code) == ErrorClass::Fatal);
        if fatal {
            self.end.get_or_insert(KafkaFailure::Call { action: "reading from Kafka", source: error }.into());
        } else {
            // The client tries again by itself, and says once what is wrong.
            tracing::warn!(%error, "reading from Kafka, trying again");
        }
    }

    /// A full lane pauses its partition: memory is bounded even where one key never moves.
    fn level_changed(&mut self, index: usize, level: Option<Level>) {
        let Some(level) = level else { return };
        let slot = self.partitions.slot_mut(index);
        let before = slot.full_lanes;
        slot.full_lanes = match level {
            Level::Full => before + 1,
            Level::Drained => before.saturating_sub(1),
        };
        let after = slot.full_lanes;
        if self.paused || (before == 0) == (after == 0) {
            return;
        }
        let list = self.partitions.list(&[index]);
        let result = if after > 0 { self.client.pause(&list) } else { self.client.resume(&list) };
        if let Err(error) = result {
            tracing::warn!(%error, "pausing or resuming a partition");
        }
    }

    fn record(&mut self) {
        let closing = self.draining.is_some() || self.revocation.is_some();
        self.recorder.record(&mut self.partitions, closing);
    }

    fn tick(&mut self) {
        self.look_at_positions();
        self.work.look_at_waiting();
        self.record();
        let (records, _) = self.partitions.load();
        #[allow(clippy::cast_precision_loss)] // gauges
        {
            self.counters.in_flight.set(records as f64);
            self.counters.postponed.set(self.work.postponed() as f64);
        }
        self.make_room();
        self.watch_stall();
    }

    /// The client's positions pass the markers of transactions, which are never handed out, in the order of records.
    fn look_at_positions(&mut self) {
        // A consumer that drains drops what it polls.
        if self.draining.is_some() {
            return;
        }
        match self.client.position() {
            Ok(positions) => {
                for element in positions.elements() {
                    let position = if let Offset::Offset(offset) = element.offset() { Some(offset) } else { None };
                    self.partitions.reached(element.topic(), element.partition(), position);
                }
            }
            Err(error) => tracing::debug!(%error, "asking for positions"),
        }
    }

    /// Pauses everything when too much has been in flight for long, and goes on when half of it is done.
    fn watch_stall(&mut self) {
        let (records, bytes) = self.partitions.load();
        if self.paused {
            let is_half_empty =
                records <= self.options.max_in_flight / 2 && bytes <= self.options.max_in_flight_bytes / 2;
            if is_half_empty && self.has_room_outside() {
                self.set_paused(false);
            }
        } else if self.has_room() {
            self.stalled_since = None;
        } else if self.stalled_since.get_or_insert_with(Instant::now).elapsed() >= STALL {
            self.set_paused(true);
        }
    }

    fn set_paused(&mut self, paused: bool) {
        let mut slots = self.partitions.owned_slots();
        // Those with a full lane stay paused.
        slots.retain(|&slot| paused || self.partitions.slot_mut(slot).full_lanes == 0);
        let list = self.partitions.list(&slots);
        let result = if paused { self.client.pause(&list) } else { self.client.resume(&list) };
        match result {
            Ok(()) => {
                self.paused = paused;
                self.stalled_since = None;
                tracing::debug!(paused, "too much in flight");
            }
            Err(error) => tracing::warn!(%error, "pausing or resuming all partitions"),
        }
    }

    fn serve_notices(&mut self) -> Result<(), ConsumerError> {
        if self.client.context().has_rebalance() {
            // It does not wait for a store: what is not moved yet is so afterwards, if it is still owned.
            self.resuming.take_if(|resuming| resuming.is_move());
        }
        // A rebalance that is being answered must end before the next one begins.
        while self.revocation.is_none()
            && self.resuming.is_none()
            && let Some(notice) = self.client.context().next_notice()
        {
            match notice {
                Notice::Assign(list) => self.assign(list)?,
                Notice::Revoke(list) => self.begin_revocation(list)?,
                Notice::Committed(result) => self.recorder.answered(result, &mut self.partitions),
            }
        }
        Ok(())
    }

    fn begin_drain(&mut self) -> Result<(), ConsumerError> {
        self.look_at_positions();
        let (records, _) = self.partitions.load();
        tracing::info!(consumer = self.name, in_flight = records, "stopping: finishing what is in flight");
        let slots = self.partitions.owned_slots();
        self.draining = Some(Leaving::begin(slots.clone(), self.options.drain_deadline));
        self.give_up_waiting(&slots);
        self.again.stop();
        self.give_up_resuming()
    }

    fn is_drained(&mut self) -> bool {
        let Some(leaving) = &self.draining else { return false };
        let is_overdue = leaving.is_overdue();
        let (records, _) = self.partitions.load();
        if records > 0 && !is_overdue {
            return false;
        }
        if records > 0 && self.settling_since.is_none() {
            tracing::warn!(
                records,
                "the drain deadline passed with records unfinished: they are left to the next reader"
            );
        }
        self.record();
        let is_settled = !self.recorder.is_recording() && self.partitions.uncommitted().is_empty();
        is_settled || self.settling_since.get_or_insert_with(Instant::now).elapsed() >= COMMIT_WAIT
    }
}
