//! Taking partitions up where a store outside of Kafka says, which has its progress beside what was made of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use rdkafka::{Offset, TopicPartitionList};

use super::ConsumerError;
use crate::error::KafkaFailure;

/// An answer: an offset for each partition.
pub(super) type Places<'r> = BoxFuture<'r, Result<Vec<Option<i64>>, ConsumerError>>;

/// Finds where partitions are to be taken up.
pub(super) trait Resume: Sync {
    /// The offsets of these topics and partitions, in their order; `None` is where the group has committed, or the
    /// beginning. Asks until there is an answer.
    fn places(&self, partitions: Vec<(String, i32)>) -> Places<'_>;
}

/// Partitions for which an answer is awaited.
pub(super) struct Resuming<'c> {
    list: TopicPartitionList,
    is_move: bool,
    places: Pin<Box<MaybeDone<Places<'c>>>>,
}

/// Partitions, and where they are taken up.
pub(super) enum Resumed {
    /// They were given to this member.
    Assigned(TopicPartitionList),
    /// They are its own and are read from elsewhere.
    Moved(TopicPartitionList),
}

impl<'c> Resuming<'c> {
    /// Of partitions that are given to this member.
    pub(super) fn begin(resume: &'c dyn Resume, list: TopicPartitionList) -> Self {
        Self::new(resume, list, false)
    }

    /// Of partitions that it owns already.
    pub(super) fn begin_move(resume: &'c dyn Resume, list: TopicPartitionList) -> Self {
        Self::new(resume, list, true)
    }

    fn new(resume: &'c dyn Resume, list: TopicPartitionList, is_move: bool) -> Self {
        let partitions = list.elements().iter().map(|of| (of.topic().to_owned(), of.partition())).collect();
        Self { list, is_move, places: Box::pin(maybe_done(resume.places(partitions))) }
    }

    /// Waits for the answer.
    pub(super) fn poll_found(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.places.as_mut().poll(context)
    }

    /// Whether the answer is there.
    pub(super) fn is_found(&self) -> bool {
        matches!(*self.places, MaybeDone::Done(_))
    }

    /// The partitions without an answer.
    pub(super) fn given_up(self) -> TopicPartitionList {
        if self.is_move { TopicPartitionList::new() } else { self.list }
    }

    /// The answer, once it [is there](Self::is_found).
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn end(mut self) -> Result<Resumed, ConsumerError> {
        let places = self.places.as_mut().take_output().unwrap_or_else(|| Ok(Vec::new()))?;
        let mut list = TopicPartitionList::with_capacity(self.list.count());
        for (element, place) in self.list.elements().iter().zip(places) {
            let offset = place.map_or(Offset::Beginning, Offset::Offset);
            let added = list.add_partition_offset(element.topic(), element.partition(), offset);
            added.map_err(KafkaFailure::call("taking partitions over"))?;
        }
        Ok(if self.is_move { Resumed::Moved(list) } else { Resumed::Assigned(list) })
    }
}
