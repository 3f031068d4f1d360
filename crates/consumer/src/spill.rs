//! Spill: records that wait for a slow destination are kept as offsets only, and read again when it has capacity.
//!
//! The key queues keep the order ([`key_queue`](crate::scheduler::key_queue)), the [`index`] knows which of their records may be read
//! again. What stands here decides when memory is too full, and reads. It is in the keyed mode alone, and only where commits name
//! completed offsets: elsewhere what is done beyond a spilled record would have to be kept.

pub(crate) mod index;
pub(crate) mod pressure;
pub(crate) mod topic;

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use millrace_domain::Backoff;
use millrace_kafka::Record;
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use tokio::time::Sleep;

use self::index::{READ_MAX_RECORDS, ReadRequest};
use self::pressure::MemoryPressure;
use crate::assignment::Assignment;
use crate::engine::flow::Flow;
use crate::scheduler::{Scheduler, SpilledRead};

/// A read ends early after this many bytes, of what is requested and of what lies between.
pub(crate) const READ_MAX_BYTES: usize = 8 << 20;

/// A seek costs about as much as reading so many records. After a smaller read the next one waits a little, until more
/// records are requested.
const SMALL_READ: usize = 100;

const SMALL_READ_BACKOFF: Duration = Duration::from_millis(50);

/// Delays after a failed read.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// Where spilled records are read again.
pub(crate) trait SpilledRecords: Send {
    /// Reads records of a partition: these offsets, in order, at least one.
    fn read(
        &mut self,
        topic: &str,
        partition: i32,
        offsets: Vec<i64>,
    ) -> BoxFuture<'static, Result<ReadResult, String>>;

    /// Nothing is spilled any more.
    fn close(&mut self);
}

/// What was found of what was requested, as far as the read went.
#[derive(Debug, Default)]
pub(crate) struct ReadResult {
    pub(crate) records: Vec<Record<'static>>,
    /// Offsets that have no record any more: retention, compaction or `DeleteRecords` took them.
    pub(crate) lost: Vec<i64>,
}

/// Spills, and reads what was spilled: one request at a time.
pub(crate) struct Spill {
    pressure: MemoryPressure,
    source: Box<dyn SpilledRecords>,
    running: Option<(ReadRequest, BoxFuture<'static, Result<ReadResult, String>>)>,
    /// Until when the next read waits.
    pause: Option<Pin<Box<Sleep>>>,
    failures: u32,
    /// Records, and bytes of them, that left flight since the last tick.
    left: (usize, usize),
    is_stopped: bool,
}

impl Spill {
    pub(crate) fn new(pressure: MemoryPressure, source: Box<dyn SpilledRecords>) -> Self {
        Self { pressure, source, running: None, pause: None, failures: 0, left: (0, 0), is_stopped: false }
    }

    /// Notes that a record left flight.
    pub(crate) fn left_flight(&mut self, bytes: usize) {
        self.left = (self.left.0 + 1, self.left.1 + bytes);
    }

    /// Spills what is queued where memory is full and, at the rate since the last tick, stays so for long.
    pub(crate) fn tick<'c>(&mut self, flow: &Flow, assignment: &Assignment, scheduler: &mut impl Scheduler<'c>) {
        let (records, bytes) = std::mem::take(&mut self.left);
        if flow.may_spill(scheduler) && flow.is_slow(records, bytes) && !flow.has_capacity(assignment, scheduler, 0) {
            tracing::debug!("memory is full of records that wait, spilling them");
            self.pressure.set_active(true);
            scheduler.relieve_pressure();
        }
    }

    /// Ends the pressure where there is room again. Where it `may_read`, begins to read the next spilled records again, also
    /// where memory is full: they come before what fills it.
    pub(crate) fn read_next<'c>(
        &mut self,
        may_read: bool,
        flow: &Flow,
        assignment: &mut Assignment,
        scheduler: &mut impl Scheduler<'c>,
    ) {
        if flow.has_capacity(assignment, scheduler, 0) || !flow.may_spill(scheduler) {
            self.pressure.set_active(false);
        }
        let is_busy = self.running.is_some() || self.pause.is_some();
        if !may_read || self.is_stopped || is_busy || !flow.takes_beyond(assignment, READ_MAX_RECORDS, READ_MAX_BYTES) {
            return;
        }
        if let Some(request) = scheduler.next_read() {
            let slot = assignment.slot_mut(request.slot);
            let (first, count) = (request.offsets.first(), request.offsets.len());
            let (topic, partition, reason) = (&slot.topic, slot.partition, request.reason);
            tracing::debug!(topic, partition, first, count, ?reason, "reading spilled records");
            let reading = self.source.read(&slot.topic, slot.partition, request.offsets.clone());
            self.running = Some((request, reading));
        } else if scheduler.spilled() == 0 {
            self.source.close();
        }
    }

    /// Ready when a read has ended, whose records the scheduler has then, or the next one may begin.
    pub(crate) fn poll<'c>(
        &mut self,
        context: &mut Context<'_>,
        assignment: &mut Assignment,
        scheduler: &mut impl Scheduler<'c>,
    ) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            return Poll::Ready(());
        }
        let Some((_, reading)) = &mut self.running else { return Poll::Pending };
        let read = ready!(reading.as_mut().poll(context));
        let Some((request, _)) = self.running.take() else { return Poll::Pending };
        let pause = match read {
            Ok(result) => {
                self.failures = 0;
                accept(&request, result, assignment, scheduler);
                (request.offsets.len() < SMALL_READ).then_some(SMALL_READ_BACKOFF)
            }
            Err(error) => {
                self.failures += 1;
                let delay = BACKOFF.delay(self.failures, None, &mut rand::rng());
                tracing::warn!(error, ?delay, "reading spilled records failed, retrying");
                Some(delay)
            }
        };
        self.pause = pause.map(|delay| Box::pin(tokio::time::sleep(delay)));
        Poll::Ready(())
    }

    /// Ends the read that is under way, and reads no more.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
        (self.running, self.pause) = (None, None);
        self.source.close();
    }
}

/// Takes the records that were read again, in their order. Those that are not on their topic any more are dead-lettered by their
/// position: their key and their value are gone.
fn accept<'c>(
    request: &ReadRequest,
    result: ReadResult,
    assignment: &mut Assignment,
    scheduler: &mut impl Scheduler<'c>,
) {
    let slot = assignment.slot_mut(request.slot);
    let (topic, partition) = (slot.topic.clone(), slot.partition);
    if let (Some(first), Some(last)) = (result.lost.first(), result.lost.last()) {
        let count = result.lost.len();
        tracing::error!(topic, partition, first, last, count, "spilled records are gone from their topic");
    }
    let deleted = result.lost.into_iter().map(|offset| {
        let position = OwnedMessage::new(None, None, topic.clone(), Timestamp::NotAvailable, partition, offset, None);
        SpilledRead { record: position.into(), is_deleted: true }
    });
    let read = result.records.into_iter().map(|record| SpilledRead { record, is_deleted: false });
    let mut all: Vec<SpilledRead<'_>> = deleted.chain(read).collect();
    all.sort_by_key(|read| read.record.offset());
    for read in all {
        let (offset, bytes) = (read.record.offset(), read.record.size());
        if let Some(handle) = assignment.reacquire(request.slot, request.epoch, offset, bytes)
            && let Err(handle) = scheduler.accept_spilled(request.reason, handle, read)
        {
            assignment.end(handle, false);
        }
    }
}
