//! Rebalances: assigned partitions start at their start offsets; revoked ones go when what they had in flight is done
//! and committed.

use std::collections::BTreeSet;
use std::task::{Context, Poll};

use millrace_domain::ErrorClass;
use millrace_kafka::KafkaError;
use millrace_kafka::error::ClientError;
use rdkafka::TopicPartitionList;

use crate::commit::OffsetCommitter;
use crate::context::RebalanceEvent;
use crate::engine::Engine;
use crate::engine::stop::{COMMIT_TIMEOUT, Deadline};
use crate::error::ConsumerError;
use crate::scheduler::Scheduler;
use crate::start_offsets::{OffsetSource, PendingAssignment, ResolvedOffsets, StartOffset};

/// What is being answered.
pub(super) struct Rebalance<'c> {
    offset_source: &'c dyn OffsetSource,
    answer: Answer<'c>,
}

/// One thing at a time, since each must end before the next one begins.
enum Answer<'c> {
    /// Nothing.
    Idle,
    /// An assignment, or a seek, whose start offsets are being looked up.
    Resolving(PendingAssignment<'c>),
    /// A revocation, whose partitions drain.
    Revoking(Revocation),
}

/// Revoked partitions that drain.
pub(super) struct Revocation {
    list: TopicPartitionList,
    slots: Vec<usize>,
    deadline: Deadline,
}

impl<'c> Rebalance<'c> {
    /// Nothing is to be answered; partitions start where `offset_source` says.
    pub(super) fn new(offset_source: &'c dyn OffsetSource) -> Self {
        Self { offset_source, answer: Answer::Idle }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.answer, Answer::Idle)
    }

    /// Whether the next one may begin.
    fn may_begin(&self) -> bool {
        match &self.answer {
            Answer::Idle => true,
            Answer::Resolving(pending) => pending.is_seek(),
            Answer::Revoking(_) => false,
        }
    }

    pub(super) fn is_revoking(&self) -> bool {
        matches!(self.answer, Answer::Revoking(_))
    }

    /// Polls a look-up; ready when it has ended.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Answer::Resolving(pending) = &mut self.answer { pending.poll_resolved(context) } else { Poll::Pending }
    }

    fn take(&mut self) -> Answer<'c> {
        std::mem::replace(&mut self.answer, Answer::Idle)
    }
}

impl<'c, S, C> Engine<'c, S, C>
where
    S: Scheduler<'c>,
    C: OffsetCommitter<S::Product>,
{
    /// Goes on with what is being answered.
    pub(super) fn advance_rebalance(&mut self) -> Result<(), ConsumerError> {
        match self.rebalance.take() {
            Answer::Resolving(pending) if pending.is_resolved() => match pending.end()? {
                ResolvedOffsets::Assigned(list, offsets) => self.apply_assignment(&list, &offsets),
                ResolvedOffsets::Seek(list, offsets) => self.seek(&list, &offsets),
            },
            Answer::Revoking(revocation) => self.advance_revocation(revocation),
            other => {
                self.rebalance.answer = other;
                Ok(())
            }
        }
    }

    /// Takes the broker's answers to commits.
    pub(super) fn take_commit_answers(&mut self) {
        while let Some(answer) = self.client.events().commit_answers().next() {
            self.committer.answered(answer, &mut self.assignment);
        }
    }

    /// Whether the client has told something that may be acted on now.
    pub(super) fn has_events(&self) -> bool {
        let events = self.client.events();
        !events.commit_answers().is_empty() || !events.rebalances().is_empty() && self.rebalance.may_begin()
    }

    /// Begins the rebalances that the client has told of, as long as each is answered at once.
    pub(super) fn begin_rebalances(&mut self) -> Result<(), ConsumerError> {
        let rebalances = self.client.events().rebalances();
        // A rebalance does not wait for a store: a seek that is not resolved yet begins anew afterwards, if the partition is
        // still owned.
        while self.rebalance.may_begin()
            && let Some(event) = rebalances.next()
        {
            self.rebalance.answer = Answer::Idle;
            match event {
                RebalanceEvent::Assign(list) => self.begin_assignment(list)?,
                RebalanceEvent::Revoke(list) => self.begin_revocation(list)?,
            }
        }
        Ok(())
    }

    /// Looks up the start offsets of newly assigned partitions.
    fn begin_assignment(&mut self, list: TopicPartitionList) -> Result<(), ConsumerError> {
        if self.stop.is_draining() || list.count() == 0 {
            return self.apply_assignment(&list, &[]);
        }
        self.rebalance.answer = Answer::Resolving(PendingAssignment::begin(self.rebalance.offset_source, list));
        Ok(())
    }

    /// Answers an assignment whose partitions are no longer to be read: the consumer stops.
    pub(super) fn cancel_assignment(&mut self) -> Result<(), ConsumerError> {
        match self.rebalance.take() {
            Answer::Resolving(pending) => self.apply_assignment(&pending.cancelled(), &[]),
            other => {
                self.rebalance.answer = other;
                Ok(())
            }
        }
    }

    /// Looks up the start offsets of owned partitions whose stored offset was not the expected one.
    pub(super) fn begin_seek(&mut self) {
        if !self.rebalance.is_idle() || self.stop.is_draining() {
            return;
        }
        let slots = self.assignment.mismatched_slots();
        if !slots.is_empty() {
            self.assignment_changed();
            let list = self.assignment.list(&slots);
            self.rebalance.answer =
                Answer::Resolving(PendingAssignment::begin_seek(self.rebalance.offset_source, list));
        }
    }

    /// Seeks owned partitions. Those whose seek failed are tried again.
    fn seek(&mut self, list: &TopicPartitionList, offsets: &[StartOffset]) -> Result<(), ConsumerError> {
        // The client drops what it had fetched from elsewhere before it answers.
        let answer = match self.client.seek(list.clone()) {
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
        self.client.assign(list).map_err(KafkaError::call("assigning partitions"))?;
        for (index, element) in list.elements().iter().enumerate() {
            let start = offsets.get(index).unwrap_or(&StartOffset::Unknown);
            let slot = self.begin_epoch(element.topic(), element.partition(), start);
            self.assignment.slot_mut(slot).full_queues = 0;
        }
        self.read_positions();
        // A partition that was paused when it was revoked is still paused.
        let result = if self.flow.is_paused() { self.client.pause(list) } else { self.client.resume(list) };
        result.map_err(KafkaError::call("assigning partitions"))?;
        let (assigned, owned) = (list.count(), self.assignment.owned());
        tracing::info!(consumer = self.member.name(), assigned, owned, "partitions assigned");
        // Whoever waits for this may print on the same terminal: the log line comes first.
        self.assignment_changed();
        Ok(())
    }

    /// Begins to drain revoked partitions.
    fn begin_revocation(&mut self, list: TopicPartitionList) -> Result<(), ConsumerError> {
        self.read_positions();
        let elements = list.elements();
        let slots: Vec<usize> =
            elements.iter().filter_map(|element| self.assignment.drain(element.topic(), element.partition())).collect();
        let is_lost = self.client.is_assignment_lost();
        let (revoked, owned) = (slots.len(), self.assignment.owned());
        tracing::info!(consumer = self.member.name(), revoked, owned, is_lost, "partitions revoked");
        let revocation = Revocation { list, slots, deadline: Deadline::after(self.member.options.drain_deadline) };
        if is_lost {
            // Others own them already: nothing may be committed any more.
            return self.end_revocation(&revocation);
        }
        // What is queued is left to the next owner.
        self.assignment_changed();
        self.advance_revocation(revocation)
    }

    /// Gives revoked partitions back once what they had in flight is done and committed.
    fn advance_revocation(&mut self, revocation: Revocation) -> Result<(), ConsumerError> {
        let Revocation { slots, deadline, .. } = &revocation;
        let in_flight: usize = slots.iter().map(|&slot| self.assignment.in_flight(slot)).sum();
        let is_uncommitted = slots.iter().any(|&slot| self.assignment.has_uncommitted(slot));
        if (in_flight == 0 || deadline.is_over()) && is_uncommitted {
            self.commit(true);
        }
        let is_settled = in_flight == 0 && !is_uncommitted && !self.committer.is_committing();
        if is_settled || deadline.is_over_by(COMMIT_TIMEOUT) || self.client.is_assignment_lost() {
            return self.end_revocation(&revocation);
        }
        self.rebalance.answer = Answer::Revoking(revocation);
        Ok(())
    }

    fn end_revocation(&mut self, revocation: &Revocation) -> Result<(), ConsumerError> {
        for &slot in &revocation.slots {
            self.assignment.release(slot);
        }
        self.assignment_changed();
        Ok(self.client.unassign(&revocation.list).map_err(KafkaError::call("unassigning partitions"))?)
    }

    /// Shows tasks what is assigned now, and drops what is queued of anything else.
    pub(super) fn assignment_changed(&mut self) {
        let assigned = self.assignment.assigned();
        let dropped = self.scheduler.drop_queued(|handle| assigned.holds(handle));
        let slots: BTreeSet<_> = dropped.iter().map(|handle| handle.slot).collect();
        for handle in dropped {
            self.abandon(handle);
        }
        for slot in slots {
            self.resume_partition(slot);
        }
        // After that: a task that is told must find nothing of it in a queue.
        self.assignment.publish(assigned);
        self.member.joined();
    }

    /// Resumes a partition that was paused because of what was queued in it, if it is still owned.
    fn resume_partition(&mut self, slot: usize) {
        let was_full = std::mem::take(&mut self.assignment.slot_mut(slot).full_queues) > 0;
        if was_full && !self.flow.is_paused() && !self.stop.is_draining() && self.assignment.is_owned(slot) {
            self.set_paused(&[slot], false);
        }
    }
}
