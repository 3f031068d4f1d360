//! The group members of a consumer: one client for each topic, all in one group.
//!
//! A sticky assignor balances how many partitions each member has in total. Of two members that subscribe to two topics of
//! three partitions, one may get all of the one topic and the other all of the other topic: the second process then adds
//! nothing where the load is. A member that subscribes to a single topic takes part in that topic's assignment only, so
//! that each topic is spread evenly over the processes: with `cooperative-sticky`, and with the broker's `uniform` assignor
//! (KIP-848). Group id and committed offsets stay as they are, and members with both kinds of subscription may be in one
//! group, so that it can be upgraded process by process.
//!
//! Considered and not chosen: `range` spreads each topic, but is eager. Every rebalance would stop the whole group, and
//! eager and cooperative members exclude each other (`INCONSISTENT_GROUP_PROTOCOL`), so that a live group could not be
//! upgraded. A group for each topic would have another id, and begin without committed offsets.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio_util::task::TaskTracker;

use crate::broker_watch::BrokerWatch;
use crate::context::Context;
use crate::engine::member::Queries;
use crate::group_offsets::GroupOffsetSource;
use crate::membership_watch::MembershipWatch;
use crate::options::{ConsumerOptions, Subscription};
use crate::partition_ends::PartitionEnds;
use millrace_kafka::{KafkaError, KafkaSettings};

/// How long leaving the group may take. All that has to be safe is safe by then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// A client in its group. It closes in good order however its engine ends, be it that the whole future is dropped.
pub(crate) struct GroupMember {
    pub(crate) subscription: Subscription,
    pub(crate) options: ConsumerOptions,
    pub(crate) client: Arc<StreamConsumer<Context>>,
    /// Queries of this client that are under way.
    queries: TaskTracker,
}

impl GroupMember {
    /// Subscribes a member to all topics of the subscription.
    pub(crate) fn join(
        kafka: &KafkaSettings,
        subscription: Subscription,
        options: ConsumerOptions,
    ) -> Result<Self, KafkaError> {
        #[cfg(feature = "failpoints")]
        millrace_kafka::failpoint::arm()?;
        let config = options.client_config(kafka, &subscription)?;
        let context = Context::new(kafka)?;
        let client: StreamConsumer<Context> =
            config.create_with_context(context).map_err(KafkaError::call("creating the consumer"))?;
        let topics: Vec<&str> = subscription.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(KafkaError::call("subscribing"))?;
        Ok(Self { subscription, options, client: Arc::new(client), queries: TaskTracker::new() })
    }

    /// Subscribes a member for each topic; they share the limits of `options`.
    pub(crate) fn join_each_topic(
        kafka: &KafkaSettings,
        subscription: &Subscription,
        options: &ConsumerOptions,
    ) -> Result<Vec<Self>, KafkaError> {
        let share = options.share_of(subscription.topics.len());
        let member = |(index, topic): (usize, &String)| {
            let subscription = Subscription { topics: vec![topic.clone()], ..subscription.clone() };
            let group_instance_id = instance_id(share.group_instance_id.as_deref(), index, topic);
            Self::join(kafka, subscription, ConsumerOptions { group_instance_id, ..share.clone() })
        };
        subscription.topics.iter().enumerate().map(member).collect()
    }

    /// The group's committed offsets, as this member asks for them.
    pub(crate) fn offsets(&self) -> GroupOffsetSource {
        GroupOffsetSource::new(&self.client, &self.queries)
    }

    /// What the brokers and the coordinator are asked for it.
    pub(crate) fn queries(&self, kafka: &KafkaSettings) -> MemberQueries {
        let Self { client, queries, subscription, options } = self;
        MemberQueries {
            ends: PartitionEnds::new(client, queries),
            membership: MembershipWatch::new(client, queries, subscription, options),
            brokers: BrokerWatch::new(client, queries, kafka, subscription),
        }
    }

    /// Leaves the group, which waits for the broker, for at most [`CLOSE_TIMEOUT`].
    async fn close(self) {
        self.queries.close();
        let queries = self.queries.clone();
        let closing = async move {
            queries.wait().await;
            tokio::task::spawn_blocking(move || drop(self)).await
        };
        match tokio::time::timeout(CLOSE_TIMEOUT, tokio::spawn(closing)).await {
            Ok(Ok(Ok(()))) => {}
            Ok(_) => tracing::warn!("consumer close failed"),
            Err(_) => {
                tracing::warn!("consumer close timed out; the broker evicts this member after session.timeout.ms");
            }
        }
    }
}

/// The queries of a member.
pub(crate) struct MemberQueries {
    ends: PartitionEnds,
    membership: MembershipWatch,
    brokers: BrokerWatch,
}

impl Queries for MemberQueries {
    fn tick(&mut self) {
        self.brokers.tick();
    }

    fn end_of(&self, topic: &str, partition: i32) -> Option<i64> {
        self.ends.of(topic, partition)
    }

    fn ask_ends(&mut self, partitions: Option<TopicPartitionList>) {
        match partitions {
            Some(partitions) => self.ends.ask(partitions),
            None => self.ends.forget(),
        }
    }

    fn is_lost(&mut self, is_asked: bool) -> bool {
        if !is_asked {
            self.membership.reset();
        }
        is_asked && self.membership.is_lost()
    }
}

impl Drop for GroupMember {
    fn drop(&mut self) {
        self.client.context().close();
    }
}

/// Leaves the group with all members at the same time.
pub(crate) async fn close_all(members: Vec<GroupMember>) {
    join_all(members.into_iter().map(GroupMember::close)).await;
}

/// The static membership id of a topic's member. The first one's is the user's own: a process that had one member for
/// all topics is replaced under the same id, without waiting for its session to time out.
fn instance_id(id: Option<&str>, index: usize, topic: &str) -> Option<String> {
    id.map(|id| if index == 0 { id.to_owned() } else { format!("{id}-{topic}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_members_of_one_process_have_distinct_ids() {
        let ids = ["events", "payments"].into_iter().enumerate();
        let ids: Vec<_> = ids.map(|(index, topic)| instance_id(Some("slot-1"), index, topic)).collect();
        assert_eq!(ids, [Some("slot-1".to_owned()), Some("slot-1-payments".to_owned())]);
        assert_eq!(instance_id(None, 1, "payments"), None);
    }
}
