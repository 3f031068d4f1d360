//! Start offsets of newly assigned partitions: the group's committed offset, or an external store's.
//!
//! The client is always given an offset. Left to itself librdkafka fetches committed offsets too, but in a rebalance drops
//! the error of that request: a commit that is not stable yet (`UNSTABLE_OFFSET_COMMIT`) becomes "nothing committed", and
//! the partition is read from its beginning; other errors leave it unread for ever
//! (`rd_kafka_assignment_apply_offsets` in 2.12).

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::offset_map::CompletedOffsets;
use futures_util::future::{BoxFuture, MaybeDone, maybe_done};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::ConsumerError;
use millrace_kafka::KafkaError;

/// Where a partition starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartOffset {
    /// There is no progress: at the beginning.
    Unknown,
    /// At this offset of an external store; the group's committed offset may be another one. `records` lie below it, by the
    /// group's commits.
    Stored { offset: i64, records: u64 },
    /// At the group's committed offset, with the offsets completed beyond it and `records` below it.
    Committed { done: CompletedOffsets, records: u64 },
}

impl StartOffset {
    fn offset(&self) -> Offset {
        match self {
            Self::Unknown => Offset::Beginning,
            Self::Stored { offset, .. } => Offset::Offset(*offset),
            Self::Committed { done, .. } => Offset::Offset(done.frontier()),
        }
    }
}

/// A start offset for each partition.
pub(crate) type StartOffsets<'r> = BoxFuture<'r, Result<Vec<StartOffset>, ConsumerError>>;

/// Looks up start offsets.
pub(crate) trait OffsetSource: Sync {
    /// The start offsets of these topics and partitions, in their order. Retries until there is an answer.
    fn start_offsets(&self, partitions: Vec<(String, i32)>) -> StartOffsets<'_>;
}

/// Partitions whose start offsets are being looked up.
pub(crate) struct PendingAssignment<'c> {
    list: TopicPartitionList,
    is_seek: bool,
    offsets: Pin<Box<MaybeDone<StartOffsets<'c>>>>,
}

/// Partitions and their start offsets.
pub(crate) enum ResolvedOffsets {
    /// Newly assigned partitions.
    Assigned(TopicPartitionList, Vec<StartOffset>),
    /// Owned partitions to be sought.
    Seek(TopicPartitionList, Vec<StartOffset>),
}

impl<'c> PendingAssignment<'c> {
    /// For newly assigned partitions.
    pub(crate) fn begin(source: &'c dyn OffsetSource, list: TopicPartitionList) -> Self {
        Self::new(source, list, false)
    }

    /// For owned partitions.
    pub(crate) fn begin_seek(source: &'c dyn OffsetSource, list: TopicPartitionList) -> Self {
        Self::new(source, list, true)
    }

    fn new(source: &'c dyn OffsetSource, list: TopicPartitionList, is_seek: bool) -> Self {
        let partitions = list.elements().iter().map(|of| (of.topic().to_owned(), of.partition())).collect();
        Self { list, is_seek, offsets: Box::pin(maybe_done(source.start_offsets(partitions))) }
    }

    /// Whether the partitions are owned already.
    pub(crate) fn is_seek(&self) -> bool {
        self.is_seek
    }

    /// Polls the lookup.
    pub(crate) fn poll_resolved(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.offsets.as_mut().poll(context)
    }

    /// Whether the start offsets are there.
    pub(crate) fn is_resolved(&self) -> bool {
        matches!(*self.offsets, MaybeDone::Done(_))
    }

    /// The newly assigned partitions, without start offsets.
    pub(crate) fn cancelled(self) -> TopicPartitionList {
        if self.is_seek { TopicPartitionList::new() } else { self.list }
    }

    /// The start offsets, once they [are there](Self::is_resolved).
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn end(mut self) -> Result<ResolvedOffsets, ConsumerError> {
        let offsets = self.offsets.as_mut().take_output().unwrap_or_else(|| Ok(Vec::new()))?;
        let mut list = TopicPartitionList::with_capacity(self.list.count());
        for (element, start) in self.list.elements().iter().zip(&offsets) {
            let added = list.add_partition_offset(element.topic(), element.partition(), start.offset());
            added.map_err(KafkaError::call("assigning partitions"))?;
        }
        Ok(if self.is_seek { ResolvedOffsets::Seek(list, offsets) } else { ResolvedOffsets::Assigned(list, offsets) })
    }
}
