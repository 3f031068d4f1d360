//! Why a consumer ends other than by being asked to.

use std::time::Duration;

use millrace_kafka::KafkaError;
use millrace_kafka::producer::TransactionError;
use thiserror::Error;

/// Why a consumer ended other than by being asked to.
#[derive(Debug, Error)]
pub enum ConsumerError {
    /// The client cannot be set up, or cannot go on.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The producer cannot go on with transactions in this process; the next one starts where the last transaction ended.
    #[error("transactions cannot go on: {0}")]
    Transaction(#[from] TransactionError),
    /// The broker does not serve KIP-848's group protocol.
    #[error(
        "the broker does not support --group-protocol consumer (KIP-848): it takes Kafka 4.0 or later, with `consumer` in \
         group.coordinator.rebalance.protocols"
    )]
    GroupProtocol,
    /// A group member owned nothing, and the coordinator, which answered, did not have it as such a member. [`Consumer`]
    /// joins again with a new client.
    ///
    /// [`Consumer`]: crate::Consumer
    #[error("no member of its group, or without the partitions that the group has assigned to it, for {} s", .0.as_secs())]
    MembershipLost(Duration),
    /// Another client has joined the group with this member's `group.instance.id`. That may be this member's own client: a
    /// broker that hung answers its repeated requests to join one after the other. [`Consumer`] joins again, once.
    ///
    /// [`Consumer`]: crate::Consumer
    #[error("another client has joined the group with the same --group-instance-id (MILLRACE_GROUP_INSTANCE_ID)")]
    InstanceFenced,
    /// The processor, or the dead-letter limit, stopped it. Nothing was committed after that.
    #[error("the consumer halted: {0}")]
    Halted(String),
    /// A dead letter is refused for good. Nothing was committed beyond its record.
    #[error("the consumer halted: {0}")]
    DeadLetterRefused(String),
}

impl ConsumerError {
    /// Whether the group no longer has the member, and a new client may join in its place.
    pub(crate) fn is_loss_of_membership(&self) -> bool {
        matches!(self, Self::MembershipLost(_) | Self::InstanceFenced)
    }
}
