//! The member of the group that the engine is: whether the group has it, and what is told of it.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_kafka::KafkaError;
use millrace_kafka::error::{ClientError, class_of};
use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode};
use tokio::time::Instant;

use crate::error::ConsumerError;
use crate::options::{ConsumerOptions, GroupProtocol, Subscription};
use crate::progress::Progress;
use crate::telemetry::MemberMetrics;

/// How often the same failure to poll is logged.
const POLL_FAILURE_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How often it is logged that a member has not joined its group yet.
const JOIN_LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What the brokers and the coordinator are asked now and then, beside the group's own protocol.
pub(crate) trait Queries: Send {
    /// Asks what is due.
    fn tick(&mut self);

    /// The end of a partition, as far as it is known.
    fn end_of(&self, topic: &str, partition: i32) -> Option<i64>;

    /// Asks for the ends of these partitions, which fetches do not tell; none: they do.
    fn ask_ends(&mut self, partitions: Option<TopicPartitionList>);

    /// Whether the group has lost a member that owns nothing. `is_asked` while it should.
    fn is_lost(&mut self, is_asked: bool) -> bool;
}

/// The member.
pub(crate) struct Member<'c> {
    pub(super) options: &'c ConsumerOptions,
    pub(super) subscription: &'c Subscription,
    pub(super) progress: &'c Progress,
    pub(super) metrics: MemberMetrics,
    pub(super) queries: Box<dyn Queries + 'c>,
    /// Whether the group has answered this member, be it with no partitions.
    has_joined: bool,
    /// Since when the group has not answered, or when that was last logged.
    unjoined_since: Instant,
    /// The last failure that was logged, and when.
    poll_failure: Option<(Option<RDKafkaErrorCode>, Instant)>,
}

impl<'c> Member<'c> {
    pub(super) fn new(
        options: &'c ConsumerOptions,
        subscription: &'c Subscription,
        progress: &'c Progress,
        metrics: MemberMetrics,
        queries: Box<dyn Queries + 'c>,
    ) -> Self {
        Self {
            options,
            subscription,
            progress,
            metrics,
            queries,
            has_joined: false,
            unjoined_since: Instant::now(),
            poll_failure: None,
        }
    }

    /// The consumer's name.
    pub(super) fn name(&self) -> &'c str {
        &self.subscription.name
    }

    /// The group has answered this member, or has nothing to answer.
    pub(super) fn joined(&mut self) {
        if !std::mem::replace(&mut self.has_joined, true) {
            self.progress.member_joined();
        }
    }

    /// Notes whether the group has it, where the client alone says so (KIP-848); logs that it does not.
    pub(super) fn tick(&mut self, is_member: impl Fn() -> bool) {
        if !self.has_joined && self.options.group_protocol == GroupProtocol::Consumer && is_member() {
            self.joined();
        }
        if !self.has_joined && self.unjoined_since.elapsed() >= JOIN_LOG_INTERVAL {
            self.unjoined_since = Instant::now();
            let Subscription { name, topics, .. } = self.subscription;
            tracing::warn!(consumer = name, ?topics, "the group has not taken this member in yet");
        }
        self.queries.tick();
    }

    /// What a failure to poll means. The client retries what passes by itself, and fails anew with each attempt.
    ///
    /// # Errors
    /// Where it does not pass.
    pub(super) fn polling_failed(&mut self, error: RdKafkaError) -> Result<(), ConsumerError> {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::UnknownTopicOrPartition) {
            // Without its topic a member does not join: it waits for the topic.
            self.joined();
        }
        if self.options.group_protocol == GroupProtocol::Consumer
            && matches!(code, Some(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion))
        {
            return Err(ConsumerError::GroupProtocol);
        }
        if code == Some(RDKafkaErrorCode::FencedInstanceId) {
            return Err(ConsumerError::InstanceFenced);
        }
        let is_fatal = matches!(error, RdKafkaError::MessageConsumptionFatal(_))
            || code.is_some_and(|code| class_of(code) == ErrorClass::Fatal);
        if is_fatal {
            return Err(KafkaError::call("reading from Kafka")(error).into());
        }
        let now = Instant::now();
        let is_new = self
            .poll_failure
            .is_none_or(|(known, logged)| known != code || now.duration_since(logged) >= POLL_FAILURE_LOG_INTERVAL);
        if is_new {
            self.poll_failure = Some((code, now));
            tracing::warn!(consumer = self.name(), error = %ClientError(error), "polling failed, retrying");
        }
        Ok(())
    }
}
