//! Where partitions are taken up: as the group has committed, or as a store outside of Kafka says, which has its progress
//! beside what was made of it.
//!
//! The client is always told. Left to itself librdkafka asks for committed offsets too, but forgets in a rebalance why it
//! waits: a commit that is not settled yet becomes "nothing committed", and the partition is read from its beginning;
//! other answers that are errors leave it unread for ever (`rd_kafka_assignment_apply_offsets` in 2.12).

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use millrace_domain::Done;
use rdkafka::{Offset, TopicPartitionList};

use super::ConsumerError;
use crate::error::KafkaFailure;

/// Where a partition goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// There is no progress: at its beginning.
    Unknown,
    /// At this offset, says a store; the group's offset may be another one.
    Stored(i64),
    /// Where the group has committed that all this is done.
    Committed(Done),
}

impl Place {
    fn offset(&self) -> Offset {
        match self {
            Self::Unknown => Offset::Beginning,
            Self::Stored(offset) => Offset::Offset(*offset),
            Self::Committed(done) => Offset::Offset(done.frontier()),
        }
    }
}

/// An answer: a place for each partition.
pub(super) type Places<'r> = BoxFuture<'r, Result<Vec<Place>, ConsumerError>>;

/// Finds where partitions are to be taken up.
pub(super) trait Resume: Sync {
    /// The places of these topics and partitions, in their order. Asks until there is an answer.
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
    Assigned(TopicPartitionList, Vec<Place>),
    /// They are its own and are read from elsewhere.
    Moved(TopicPartitionList, Vec<Place>),
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

    /// Whether the partitions are owned already.
    pub(super) fn is_move(&self) -> bool {
        self.is_move
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
        for (element, place) in self.list.elements().iter().zip(&places) {
            let added = list.add_partition_offset(element.topic(), element.partition(), place.offset());
            added.map_err(KafkaFailure::call("taking partitions over"))?;
        }
        Ok(if self.is_move { Resumed::Moved(list, places) } else { Resumed::Assigned(list, places) })
    }
}
