//! Whether the group agrees with a member that owns nothing.
//!
//! librdkafka joins again by itself when its session was lost. It is not certain to: a `JoinGroup` request that is never
//! answered is given up after `max.poll.interval.ms` (5 minutes) only, and until then the client is connected, healthy and
//! no member. The coordinator knows: it is asked while nothing is owned, which is the rule for a spare member alone.

use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::error::ClientError;
use millrace_kafka::{Membership, membership};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaResult;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::options::{ConsumerOptions, GroupProtocol, Subscription};
use crate::query::Query;

/// How long all parts of a query may take together, and a closing client waits for them.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How many times the coordinator is asked until a membership counts as lost.
const QUERIES: u32 = 4;

/// Asks the coordinator for the membership of a client that owns nothing.
pub(crate) struct MembershipWatch {
    client: Arc<StreamConsumer<Context>>,
    subscription: Subscription,
    instance_id: Option<String>,
    /// Members of the other protocol are not looked after: they ask the coordinator every few seconds.
    is_classic: bool,
    /// How long the group may disagree.
    timeout: Duration,
    /// Postponed while the client owns something: a start that joins at once asks nothing.
    query: Query<KafkaResult<bool>>,
    disagrees_since: Option<Instant>,
}

impl MembershipWatch {
    pub(crate) fn new(
        client: &Arc<StreamConsumer<Context>>,
        queries: &TaskTracker,
        subscription: &Subscription,
        options: &ConsumerOptions,
    ) -> Self {
        let mut query = Query::new(queries, options.rejoin_timeout / QUERIES);
        query.postpone();
        Self {
            client: Arc::clone(client),
            subscription: subscription.clone(),
            instance_id: options.group_instance_id.clone(),
            is_classic: options.group_protocol == GroupProtocol::Classic,
            timeout: options.rejoin_timeout,
            query,
            disagrees_since: None,
        }
    }

    /// The client owns partitions, or is about to: nothing is asked.
    pub(crate) fn reset(&mut self) {
        self.query.postpone();
        self.disagrees_since = None;
    }

    /// Whether the client, which owns nothing, is no member of its group, or is one with partitions that it knows nothing
    /// of, and has been for the whole time-out. Asks the coordinator now and then; an answer counts from a later call on.
    pub(crate) fn is_lost(&mut self) -> bool {
        match self.query.take_answer() {
            None => {}
            Some(Ok(true)) => self.disagrees_since = None,
            Some(Ok(false)) => return self.disagrees_since.get_or_insert_with(Instant::now).elapsed() >= self.timeout,
            // Without an answer nothing is known.
            Some(Err(error)) => {
                self.disagrees_since = None;
                let (consumer, topics, error) =
                    (&self.subscription.name, &self.subscription.topics, ClientError(error));
                tracing::debug!(consumer, ?topics, %error, "asking the group coordinator for the membership failed");
            }
        }
        if self.is_classic && self.query.is_due() {
            let (client, subscription) = (Arc::clone(&self.client), self.subscription.clone());
            let instance_id = self.instance_id.clone();
            self.query.ask(move || agrees(&client, &subscription, instance_id.as_deref()));
        }
        false
    }
}

/// Whether the group has this client as a member without partitions, as far as it can be known. A client without topics is
/// rightly no member.
fn agrees(
    client: &StreamConsumer<Context>,
    subscription: &Subscription,
    instance_id: Option<&str>,
) -> KafkaResult<bool> {
    let deadline = Instant::now() + QUERY_TIMEOUT;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut partitions = TopicPartitionList::new();
    for topic in &subscription.topics {
        let metadata = client.fetch_metadata(Some(topic), left())?;
        if metadata.topics().iter().any(|topic| !topic.partitions().is_empty()) {
            partitions.add_partition(topic, 0);
        }
    }
    if partitions.count() == 0 {
        return Ok(true);
    }
    // Where the coordinator is away, the other brokers list no such group.
    client.committed_offsets(partitions, left())?;
    Ok(match membership(client, &subscription.group, instance_id, left())? {
        Membership::Unknown => true,
        Membership::NoMember => false,
        Membership::Member { has_partitions } => !has_partitions,
    })
}
