//! Rebalances: partitions come at once, and go when what they had in flight is done and committed.

use std::time::Duration;

use millrace_domain::ErrorClass;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;

use super::leaving::Leaving;
use super::{COMMIT_WAIT, Engine};
use crate::consumer::ConsumerError;
use crate::consumer::recorder::Recorder;
use crate::consumer::resume::{Place, Resumed, Resuming};
use crate::consumer::work::Work;
use crate::error::KafkaFailure;

/// How long the client may take to go on from elsewhere: a matter between its threads.
const SEEK: Duration = Duration::from_secs(1);

/// Partitions on their way to another member.
pub(super) struct Revocation {
    list: TopicPartitionList,
    leaving: Leaving,
}

impl<'c, W, R> Engine<'c, W, R>
where
    W: Work<'c>,
    R: Recorder<W::Product>,
{
    pub(super) fn assign(&mut self, list: TopicPartitionList) -> Result<(), ConsumerError> {
        if self.draining.is_some() || list.count() == 0 {
            return self.take_over(&list, &[]);
        }
        self.resuming = Some(Resuming::begin(self.resume, list));
        Ok(())
    }

    /// Takes partitions up where their progress is stored, once it is known where.
    pub(super) fn take_up(&mut self) -> Result<(), ConsumerError> {
        let Some(resuming) = self.resuming.take_if(|resuming| resuming.is_found()) else { return Ok(()) };
        match resuming.end()? {
            Resumed::Assigned(list, places) => self.take_over(&list, &places),
            Resumed::Moved(list, places) => self.go_on(&list, &places),
        }
    }

    /// Answers a rebalance whose partitions are no longer wanted: nothing is read of them.
    pub(super) fn give_up_resuming(&mut self) -> Result<(), ConsumerError> {
        match self.resuming.take() {
            Some(resuming) => self.take_over(&resuming.given_up(), &[]),
            None => Ok(()),
        }
    }

    /// Asks where the partitions are to be taken up that were set aside.
    pub(super) fn take_up_anew(&mut self) {
        if self.resuming.is_some() || self.revocation.is_some() || self.draining.is_some() {
            return;
        }
        let slots = self.partitions.set_aside_slots();
        if !slots.is_empty() {
            self.ownership_changed();
            self.resuming = Some(Resuming::begin_move(self.resume, self.partitions.list(&slots)));
        }
    }

    /// Goes on in partitions that were set aside. Those that cannot be read from there yet stay so.
    fn go_on(&mut self, list: &TopicPartitionList, places: &[Place]) -> Result<(), ConsumerError> {
        // What the client had read from elsewhere is dropped by it once the answer is there.
        let answer = match self.client.seek_partitions(list.clone(), SEEK) {
            Ok(answer) => answer,
            Err(error) => {
                let failure = KafkaFailure::Call { action: "going on from elsewhere", source: error };
                tracing::warn!(%failure, "trying again");
                return if failure.class() == ErrorClass::Fatal { Err(failure.into()) } else { Ok(()) };
            }
        };
        for (element, place) in list.elements().iter().zip(places) {
            let (topic, partition) = (element.topic(), element.partition());
            match answer.find_partition(topic, partition).map_or(Ok(()), |found| found.error()) {
                Ok(()) => {
                    self.begin_epoch(topic, partition, place);
                }
                Err(error) => tracing::warn!(%error, topic, partition, "going on from elsewhere, trying again"),
            }
        }
        self.ownership_changed();
        Ok(())
    }

    fn begin_epoch(&mut self, topic: &str, partition: i32, place: &Place) -> usize {
        let slot = self.partitions.assign(topic, partition, place.clone());
        self.work.begin_epoch(slot, self.partitions.epoch(slot), place);
        slot
    }

    /// `places` are those of the partitions, in their order. There are none where nothing is to be read any more.
    fn take_over(&mut self, list: &TopicPartitionList, places: &[Place]) -> Result<(), ConsumerError> {
        self.client.incremental_assign(list).map_err(KafkaFailure::call("taking partitions over"))?;
        for (index, element) in list.elements().iter().enumerate() {
            let place = places.get(index).unwrap_or(&Place::Unknown);
            let slot = self.begin_epoch(element.topic(), element.partition(), place);
            self.partitions.slot_mut(slot).full_lanes = 0;
        }
        self.look_at_positions();
        // A partition that was paused when it left is still paused.
        let result = if self.paused { self.client.pause(list) } else { self.client.resume(list) };
        result.map_err(KafkaFailure::call("taking partitions over"))?;
        self.ownership_changed();
        let (taken, owned) = (list.count(), self.partitions.owned());
        tracing::info!(consumer = self.name, taken, owned, "partitions taken over");
        Ok(())
    }

    pub(super) fn begin_revocation(&mut self, list: TopicPartitionList) -> Result<(), ConsumerError> {
        self.look_at_positions();
        let elements = list.elements();
        let slots: Vec<usize> =
            elements.iter().filter_map(|element| self.partitions.leave(element.topic(), element.partition())).collect();
        let is_lost = self.client.assignment_lost();
        let (leaving, owned) = (slots.len(), self.partitions.owned());
        tracing::info!(consumer = self.name, leaving, owned, is_lost, "partitions leave");
        let revocation = Revocation { list, leaving: Leaving::begin(slots.clone(), self.options.drain_deadline) };
        if is_lost {
            // Others own them already: nothing may be committed any more.
            return self.end_revocation(&revocation);
        }
        self.give_up_waiting(&slots);
        self.revocation = Some(revocation);
        Ok(())
    }

    /// Gives partitions back once what they had in flight is done and committed.
    pub(super) fn advance_revocation(&mut self) -> Result<(), ConsumerError> {
        let Some(revocation) = self.revocation.take() else { return Ok(()) };
        // Answers to commits come while a revocation waits for them.
        self.take_commit_answers();
        let leaving = &revocation.leaving;
        let in_flight: usize = leaving.slots().iter().map(|&slot| self.partitions.in_flight(slot)).sum();
        let uncommitted = leaving.slots().iter().any(|&slot| self.partitions.has_uncommitted(slot));
        if (in_flight == 0 || leaving.is_overdue()) && uncommitted {
            self.record();
        }
        let too_late = leaving.is_overdue_by(COMMIT_WAIT);
        if too_late
            || self.client.assignment_lost()
            || (in_flight == 0 && !uncommitted && !self.recorder.is_recording())
        {
            return self.end_revocation(&revocation);
        }
        self.revocation = Some(revocation);
        Ok(())
    }

    fn take_commit_answers(&mut self) {
        for answer in self.client.context().take_commit_answers() {
            self.recorder.answered(answer, &mut self.partitions);
        }
    }

    fn end_revocation(&mut self, revocation: &Revocation) -> Result<(), ConsumerError> {
        for &slot in revocation.leaving.slots() {
            self.partitions.release(slot);
        }
        self.ownership_changed();
        self.client.incremental_unassign(&revocation.list).map_err(KafkaFailure::call("giving partitions back"))?;
        Ok(())
    }
}
