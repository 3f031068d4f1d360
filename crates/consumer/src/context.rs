//! The consumer's librdkafka context: rebalances, and answers to commits.
//!
//! Callbacks run inside a poll, on the engine's own task: they only note what happened, and the engine acts on it once
//! the poll is over. A rebalance is therefore answered when its partitions are drained, not before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use millrace_kafka::KafkaSettings;
use millrace_kafka::error::{ClientError, KafkaError};
use millrace_kafka::logging_context::{ASKS_FOR_TOKENS, LoggingContext};

/// An event of the client that the engine acts on.
pub(crate) enum RebalanceEvent {
    /// Partitions are assigned to this member.
    Assign(TopicPartitionList),
    /// Partitions are revoked from this member.
    Revoke(TopicPartitionList),
    /// A commit was answered.
    Committed(KafkaResult<()>),
}

/// Events that wait for the engine.
#[derive(Default)]
pub(crate) struct Events {
    queue: Mutex<VecDeque<RebalanceEvent>>,
    /// Whether there are any; cheap enough to ask after every record.
    pending: AtomicBool,
}

impl Events {
    /// Whether events wait.
    pub(crate) fn are_waiting(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Whether a rebalance waits.
    pub(crate) fn have_rebalance(&self) -> bool {
        let is_rebalance = |event: &RebalanceEvent| !matches!(event, RebalanceEvent::Committed(_));
        self.are_waiting() && self.queue().iter().any(is_rebalance)
    }

    /// The oldest event.
    pub(crate) fn next(&self) -> Option<RebalanceEvent> {
        let mut events = self.queue();
        let event = events.pop_front();
        self.pending.store(!events.is_empty(), Ordering::Release);
        event
    }

    /// The answers to commits, ahead of other events.
    pub(crate) fn take_commit_answers(&self) -> Vec<KafkaResult<()>> {
        let mut events = self.queue();
        let (answers, others) =
            events.drain(..).partition::<Vec<_>, _>(|event| matches!(event, RebalanceEvent::Committed(_)));
        events.extend(others);
        self.pending.store(!events.is_empty(), Ordering::Release);
        let result = |event| if let RebalanceEvent::Committed(result) = event { Some(result) } else { None };
        answers.into_iter().filter_map(result).collect()
    }

    pub(crate) fn push(&self, event: RebalanceEvent) {
        self.queue().push_back(event);
        self.pending.store(true, Ordering::Release);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<RebalanceEvent>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.events.push(if assigned {
                RebalanceEvent::Assign(partitions)
            } else {
                RebalanceEvent::Revoke(partitions)
            });
        } else if !assigned && let Err(error) = client.incremental_unassign(partitions) {
            tracing::warn!(error = %ClientError(error), "unassigning partitions while closing failed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let refused = offsets.elements().iter().find_map(|element| element.error().err());
        self.events.push(RebalanceEvent::Committed(result.and(refused.map_or(Ok(()), Err))));
    }
}
