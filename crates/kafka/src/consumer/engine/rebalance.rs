//! Rebalances: partitions come at once, and go when what they had in flight is done and committed.

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use tokio::time::Instant;

use super::{COMMIT_WAIT, Engine};
use crate::consumer::ConsumerError;
use crate::consumer::lanes::{Finished, Task};
use crate::error::KafkaFailure;

/// Partitions on their way to another member.
pub(super) struct Revocation {
    list: TopicPartitionList,
    slots: Vec<usize>,
    deadline: Instant,
}

impl<'c, S, F> Engine<'c, S, F>
where
    S: Fn(Task<'c>) -> F,
    F: Future<Output = Finished>,
{
    pub(super) fn assign(&mut self, list: &TopicPartitionList) -> Result<(), ConsumerError> {
        self.client.incremental_assign(list).map_err(KafkaFailure::call("taking partitions over"))?;
        for element in list.elements() {
            let slot = self.partitions.assign(element.topic(), element.partition());
            self.partitions.slot_mut(slot).full_lanes = 0;
        }
        self.look_at_positions();
        // A partition that was paused when it left is still paused.
        let result = if self.paused { self.client.pause(list) } else { self.client.resume(list) };
        result.map_err(KafkaFailure::call("taking partitions over"))?;
        self.ownership_changed();
        tracing::info!(taken = list.count(), owned = self.partitions.owned(), "partitions taken over");
        Ok(())
    }

    pub(super) fn ownership_changed(&mut self) {
        self.ownership.send_replace(self.partitions.epochs());
        self.progress.set_owned(self.partitions.owned());
    }

    pub(super) fn begin_revocation(&mut self, list: TopicPartitionList) -> Result<(), ConsumerError> {
        self.look_at_positions();
        let elements = list.elements();
        let slots: Vec<usize> =
            elements.iter().filter_map(|element| self.partitions.leave(element.topic(), element.partition())).collect();
        let is_lost = self.client.assignment_lost();
        tracing::info!(leaving = slots.len(), owned = self.partitions.owned(), is_lost, "partitions leave");
        self.drop_waiting(|slot| slots.contains(&slot));
        self.ownership_changed();
        let deadline = Instant::now() + self.options.drain_deadline;
        let revocation = Revocation { list, slots, deadline };
        if is_lost {
            // Others own them already: nothing may be committed any more.
            return self.end_revocation(&revocation);
        }
        self.revocation = Some(revocation);
        Ok(())
    }

    /// Gives partitions back once what they had in flight is done and committed.
    pub(super) fn advance_revocation(&mut self) -> Result<(), ConsumerError> {
        let Some(revocation) = self.revocation.take() else { return Ok(()) };
        // Answers to commits come while a revocation waits for them.
        self.take_commit_answers();
        let in_flight: usize = revocation.slots.iter().map(|&slot| self.partitions.in_flight(slot)).sum();
        let overdue = Instant::now() >= revocation.deadline;
        let uncommitted = revocation.slots.iter().any(|&slot| self.partitions.has_uncommitted(slot));
        if (in_flight == 0 || overdue) && uncommitted {
            self.committer.commit(&self.partitions);
        }
        let too_late = Instant::now() >= revocation.deadline + COMMIT_WAIT;
        if too_late || self.client.assignment_lost() || (in_flight == 0 && !uncommitted && !self.committer.is_waiting())
        {
            return self.end_revocation(&revocation);
        }
        self.revocation = Some(revocation);
        Ok(())
    }

    fn take_commit_answers(&mut self) {
        for answer in self.client.context().take_commit_answers() {
            self.committer.answered(answer, &mut self.partitions);
        }
    }

    fn end_revocation(&mut self, revocation: &Revocation) -> Result<(), ConsumerError> {
        for &slot in &revocation.slots {
            self.partitions.release(slot);
        }
        self.ownership_changed();
        self.client.incremental_unassign(&revocation.list).map_err(KafkaFailure::call("giving partitions back"))?;
        Ok(())
    }
}
