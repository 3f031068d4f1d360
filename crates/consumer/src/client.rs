//! What the engine needs of its client: a port, so that a model of a group can stand in its place.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use millrace_kafka::{Record, commit_async, is_group_member};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaResult;

use crate::context::{Context, Events};

/// How long a seek may take: it is an exchange between threads of the client.
const SEEK_TIMEOUT: Duration = Duration::from_secs(1);

/// Records as they are polled, and failures to poll.
pub(crate) type Records<'c> = BoxStream<'c, KafkaResult<Record<'c>>>;

/// The client of a group member, beside its records.
pub(crate) trait Client: Send + Sync {
    /// Rebalances, and answers to commits.
    fn events(&self) -> &Events;

    /// Where it reads on, by partition; past all that was delivered, and past markers of transactions.
    fn positions(&self) -> KafkaResult<TopicPartitionList>;

    /// Reads these partitions, too, each from its offset: the answer to their assignment.
    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Reads these partitions no longer: the answer to their revocation.
    fn unassign(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Reads on elsewhere, and drops what was fetched. Each partition of the answer has its own result.
    fn seek(&self, partitions: TopicPartitionList) -> KafkaResult<TopicPartitionList>;

    fn pause(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    fn resume(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Sends offsets to the group. The answer is an event.
    fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()>;

    /// Whether others may own its partitions already.
    fn is_assignment_lost(&self) -> bool;

    /// Whether the group has taken it in, as far as the client knows.
    fn is_member(&self) -> bool;
}

/// The records of a client.
pub(crate) fn records(client: &StreamConsumer<Context>) -> Records<'_> {
    client.stream().map(|polled| polled.map(Record::from)).boxed()
}

impl Client for StreamConsumer<Context> {
    fn events(&self) -> &Events {
        self.context().events()
    }

    fn positions(&self) -> KafkaResult<TopicPartitionList> {
        self.position()
    }

    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.incremental_assign(partitions)
    }

    fn unassign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.incremental_unassign(partitions)
    }

    fn seek(&self, partitions: TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        self.seek_partitions(partitions, SEEK_TIMEOUT)
    }

    fn pause(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        rdkafka::consumer::Consumer::pause(self, partitions)
    }

    fn resume(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        rdkafka::consumer::Consumer::resume(self, partitions)
    }

    fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        commit_async(self, offsets)
    }

    fn is_assignment_lost(&self) -> bool {
        self.assignment_lost()
    }

    fn is_member(&self) -> bool {
        is_group_member(self)
    }
}
