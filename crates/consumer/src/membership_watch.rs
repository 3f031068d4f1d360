//! Whether the group agrees with a member that owns nothing.
//!
//! librdkafka joins again by itself when its session was lost. It is not certain to: a `JoinGroup` request that is never
//! answered is given up after `max.poll.interval.ms` (5 minutes) only, and until then the client is connected, healthy and
//! no member. The coordinator knows: it is asked while nothing is owned, which is the rule for a spare member alone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use millrace_kafka::error::ClientError;
use millrace_kafka::{Membership, membership};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaResult;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::options::{ConsumerOptions, GroupProtocol, Subscription};

/// How long all parts of a query may take together, and a closing client waits for them.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How many times the coordinator is asked until a membership counts as lost.
const QUERIES: u32 = 4;

/// Asks the coordinator for the membership of a client that owns nothing.
pub(crate) struct MembershipWatch {
    client: Arc<StreamConsumer<Context>>,
    /// Queries under way: they block their caller, and the client must not close before they end.
    queries: TaskTracker,
    subscription: Subscription,
    instance_id: Option<String>,
    /// Members of the other protocol are not looked after: they ask the coordinator every few seconds.
    is_classic: bool,
    /// How long the group may disagree.
    timeout: Duration,
    running: Option<JoinHandle<KafkaResult<bool>>>,
    /// When it was last asked, or the client last owned something: a start that joins at once asks nothing.
    asked: Instant,
    disagrees_since: Option<Instant>,
}

impl MembershipWatch {
    pub(crate) fn new(
        client: &Arc<StreamConsumer<Context>>,
        queries: &TaskTracker,
        subscription: &Subscription,
        options: &ConsumerOptions,
    ) -> Self {
        Self {
            client: Arc::clone(client),
            queries: queries.clone(),
            subscription: subscription.clone(),
            instance_id: options.group_instance_id.clone(),
            is_classic: options.group_protocol == GroupProtocol::Classic,
            timeout: options.rejoin_timeout,
            running: None,
            asked: Instant::now(),
            disagrees_since: None,
        }
    }

    /// The client owns partitions, or is about to: nothing is asked.
    pub(crate) fn reset(&mut self) {
        self.running = None;
        self.asked = Instant::now();
        self.disagrees_since = None;
    }

    /// Whether the client, which owns nothing, is no member of its group, or is one with partitions that it knows nothing
    /// of, and has been for the whole time-out. Asks the coordinator now and then; an answer counts from a later call on.
    pub(crate) fn is_lost(&mut self) -> bool {
        if let Some(answer) = self.running.as_mut().and_then(FutureExt::now_or_never) {
            self.running = None;
            match answer.map_err(|_| None).and_then(|answer| answer.map_err(Some)) {
                Ok(true) => self.disagrees_since = None,
                Ok(false) => {
                    return self.disagrees_since.get_or_insert_with(Instant::now).elapsed() >= self.timeout;
                }
                // Without an answer nothing is known.
                Err(error) => {
                    self.disagrees_since = None;
                    let (consumer, error) =
                        (&self.subscription.name, error.map(|error| ClientError(error).to_string()));
                    tracing::debug!(consumer, error, "asking the group coordinator for the membership failed");
                }
            }
        }
        if self.is_classic && self.running.is_none() && self.asked.elapsed() >= self.timeout / QUERIES {
            self.asked = Instant::now();
            let (client, subscription) = (Arc::clone(&self.client), self.subscription.clone());
            let instance_id = self.instance_id.clone();
            let ask = move || agrees(&client, &subscription, instance_id.as_deref());
            self.running = Some(self.queries.spawn_blocking(ask));
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
