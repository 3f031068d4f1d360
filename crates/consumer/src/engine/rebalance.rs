//! Rebalances: assigned partitions start at their start offsets; revoked ones go when what they had in flight is done
//! and committed.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_kafka::KafkaError;
use millrace_kafka::error::ClientError;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;

use crate::commit::OffsetCommitter;
use crate::engine::drain::DrainDeadline;
use crate::engine::{COMMIT_TIMEOUT, Engine};
use crate::error::ConsumerError;
use crate::scheduler::Scheduler;
use crate::start_offsets::{PendingAssignment, ResolvedOffsets, StartOffset};

/// How long a seek may take: it is an exchange between threads of the client.
const SEEK_TIMEOUT: Duration = Duration::from_secs(1);

/// Revoked partitions that drain.
pub(crate) struct Revocation {
    list: TopicPartitionList,
    drain: DrainDeadline,
}

impl<'c, S, C> Engine<'c, S, C>
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    /// Looks up the start offsets of newly assigned partitions.
    pub(super) fn begin_assignment(&mut self, list: TopicPartitionList) -> Result<(), ConsumerError> {
        if self.draining.is_some() || list.count() == 0 {
            return self.apply_assignment(&list, &[]);
        }
        self.pending = Some(PendingAssignment::begin(self.offset_source, list));
        Ok(())
    }

    /// Assigns or seeks partitions, once their start offsets are resolved.
    pub(super) fn assign(&mut self) -> Result<(), ConsumerError> {
        let Some(pending) = self.pending.take_if(|pending| pending.is_resolved()) else { return Ok(()) };
        match pending.end()? {
            ResolvedOffsets::Assigned(list, offsets) => self.apply_assignment(&list, &offsets),
            ResolvedOffsets::Seek(list, offsets) => self.seek(&list, &offsets),
        }
    }

    /// Answers a rebalance whose partitions are no longer to be read.
    pub(super) fn cancel_assignment(&mut self) -> Result<(), ConsumerError> {
        match self.pending.take() {
            Some(pending) => self.apply_assignment(&pending.cancelled(), &[]),
            None => Ok(()),
        }
    }

    /// Looks up the start offsets of owned partitions whose stored offset was not the expected one.
    pub(super) fn begin_seek(&mut self) {
        if self.pending.is_some() || self.revocation.is_some() || self.draining.is_some() {
            return;
        }
        let slots = self.assignment.mismatched_slots();
        if !slots.is_empty() {
            self.assignment_changed();
            self.pending = Some(PendingAssignment::begin_seek(self.offset_source, self.assignment.list(&slots)));
        }
    }

    /// Seeks owned partitions. Those whose seek failed are tried again.
    fn seek(&mut self, list: &TopicPartitionList, offsets: &[StartOffset]) -> Result<(), ConsumerError> {
        // The client drops what it had fetched from elsewhere before it answers.
        let answer = match self.client.seek_partitions(list.clone(), SEEK_TIMEOUT) {
            Ok(answer) => answer,
            Err(error) => {
                let error = KafkaError::call("seeking")(error);
                tracing::warn!(%error, "seek failed, retrying");
                return if error.class() == ErrorClass::Fatal { Err(error.into()) } else { Ok(()) };
            }
        };
        for (element, start) in list.elements().iter().zip(offsets) {
            let (topic, partition) = (element.topic(), element.partition());
            match answer.find_partition(topic, partition).map_or(Ok(()), |found| found.error()) {
                Ok(()) => {
                    self.begin_epoch(topic, partition, start);
                }
                Err(error) => {
                    let error = ClientError(error);
                    tracing::warn!(%error, topic, partition, "seek failed, retrying");
                }
            }
        }
        self.assignment_changed();
        Ok(())
    }

    fn begin_epoch(&mut self, topic: &str, partition: i32, start: &StartOffset) -> usize {
        let slot = self.assignment.assign(topic, partition, start.clone());
        self.scheduler.begin_epoch(slot, self.assignment.epoch(slot), start);
        slot
    }

    /// Assigns partitions. `offsets` are their start offsets, in their order; there are none where nothing is to be read
    /// any more.
    fn apply_assignment(&mut self, list: &TopicPartitionList, offsets: &[StartOffset]) -> Result<(), ConsumerError> {
        self.client.incremental_assign(list).map_err(KafkaError::call("assigning partitions"))?;
        for (index, element) in list.elements().iter().enumerate() {
            let start = offsets.get(index).unwrap_or(&StartOffset::Unknown);
            let slot = self.begin_epoch(element.topic(), element.partition(), start);
            self.assignment.slot_mut(slot).full_queues = 0;
        }
        self.read_positions();
        // A partition that was paused when it was revoked is still paused.
        let result = if self.paused { self.client.pause(list) } else { self.client.resume(list) };
        result.map_err(KafkaError::call("assigning partitions"))?;
        let (assigned, owned) = (list.count(), self.assignment.owned());
        tracing::info!(consumer = self.name, assigned, owned, "partitions assigned");
        // Whoever waits for this may print on the same terminal: the log line comes first.
        self.assignment_changed();
        Ok(())
    }

    /// Begins to drain revoked partitions.
    pub(super) fn begin_revocation(&mut self, list: TopicPartitionList) -> Result<(), ConsumerError> {
        self.read_positions();
        let elements = list.elements();
        let slots: Vec<usize> =
            elements.iter().filter_map(|element| self.assignment.drain(element.topic(), element.partition())).collect();
        let is_lost = self.client.assignment_lost();
        let (revoked, owned) = (slots.len(), self.assignment.owned());
        tracing::info!(consumer = self.name, revoked, owned, is_lost, "partitions revoked");
        let revocation = Revocation { list, drain: DrainDeadline::begin(slots.clone(), self.options.drain_deadline) };
        if is_lost {
            // Others own them already: nothing may be committed any more.
            return self.end_revocation(&revocation);
        }
        self.drop_queued(&slots);
        self.revocation = Some(revocation);
        Ok(())
    }

    /// Gives revoked partitions back once what they had in flight is done and committed.
    pub(super) fn advance_revocation(&mut self) -> Result<(), ConsumerError> {
        let Some(revocation) = self.revocation.take() else { return Ok(()) };
        // Answers to commits arrive while a revocation waits for them.
        self.take_commit_answers();
        let drain = &revocation.drain;
        let in_flight: usize = drain.slots().iter().map(|&slot| self.assignment.in_flight(slot)).sum();
        let uncommitted = drain.slots().iter().any(|&slot| self.assignment.has_uncommitted(slot));
        if (in_flight == 0 || drain.is_overdue()) && uncommitted {
            self.commit();
        }
        let too_late = drain.is_overdue_by(COMMIT_TIMEOUT);
        if too_late
            || self.client.assignment_lost()
            || (in_flight == 0 && !uncommitted && !self.committer.is_committing())
        {
            return self.end_revocation(&revocation);
        }
        self.revocation = Some(revocation);
        Ok(())
    }

    fn take_commit_answers(&mut self) {
        for answer in self.client.context().take_commit_answers() {
            self.committer.answered(answer, &mut self.assignment);
        }
    }

    fn end_revocation(&mut self, revocation: &Revocation) -> Result<(), ConsumerError> {
        for &slot in revocation.drain.slots() {
            self.assignment.release(slot);
        }
        self.assignment_changed();
        self.client.incremental_unassign(&revocation.list).map_err(KafkaError::call("unassigning partitions"))?;
        Ok(())
    }
}
