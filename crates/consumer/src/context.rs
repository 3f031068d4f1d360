//! The consumer's librdkafka context: rebalances, and answers to commits.
//!
//! Callbacks run inside a poll, on the engine's own task: they only note what happened, and the engine acts on it once
//! the poll is over. A rebalance is therefore answered when its partitions are drained, not before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use millrace_kafka::KafkaSettings;
use millrace_kafka::error::{ClientError, KafkaError};
use millrace_kafka::logging_context::{ASKS_FOR_TOKENS, LoggingContext};

/// A rebalance that the engine is to answer.
pub(crate) enum RebalanceEvent {
    /// Partitions are assigned to this member.
    Assign(TopicPartitionList),
    /// Partitions are revoked from this member.
    Revoke(TopicPartitionList),
}

/// What the client has told, until the engine acts on it.
#[derive(Default)]
pub(crate) struct Events {
    rebalances: Waiting<RebalanceEvent>,
    /// Answers to commits. They do not wait for a rebalance that is being answered: it may wait for them.
    answers: Waiting<KafkaResult<()>>,
}

impl Events {
    pub(crate) fn rebalances(&self) -> &Waiting<RebalanceEvent> {
        &self.rebalances
    }

    pub(crate) fn commit_answers(&self) -> &Waiting<KafkaResult<()>> {
        &self.answers
    }
}

/// Events in their order.
pub(crate) struct Waiting<T> {
    queue: Mutex<VecDeque<T>>,
    /// Whether there are none; cheap enough to ask after every record.
    is_empty: AtomicBool,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { queue: Mutex::default(), is_empty: AtomicBool::new(true) }
    }
}

impl<T> Waiting<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty.load(Ordering::Acquire)
    }

    /// The oldest one.
    pub(crate) fn next(&self) -> Option<T> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let next = queue.pop_front();
        self.is_empty.store(queue.is_empty(), Ordering::Release);
        next
    }

    pub(crate) fn push(&self, event: T) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(event);
        self.is_empty.store(false, Ordering::Release);
    }
}

/// Notes events for the engine.
pub(crate) struct Context {
    logging: LoggingContext,
    events: Events,
    closing: AtomicBool,
}

impl Context {
    pub(crate) fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let logging = LoggingContext::new(settings)?;
        Ok(Self { logging, events: Events::default(), closing: AtomicBool::new(false) })
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// From now on rebalances are answered at once: the engine has ended, and closing the client waits for the answer.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = ASKS_FOR_TOKENS;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.logging.log(level, facility, line);
    }

    fn error(&self, error: RdKafkaError, reason: &str) {
        self.logging.error(error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.logging.token()
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, client: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if !self.closing.load(Ordering::Acquire) {
            let partitions = partitions.clone();
            let event = if assigned { RebalanceEvent::Assign(partitions) } else { RebalanceEvent::Revoke(partitions) };
            self.events.rebalances.push(event);
        } else if !assigned && let Err(error) = client.incremental_unassign(partitions) {
            tracing::warn!(error = %ClientError(error), "unassigning partitions while closing failed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let refused = offsets.elements().iter().find_map(|element| element.error().err());
        self.events.answers.push(result.and(refused.map_or(Ok(()), Err)));
    }
}
