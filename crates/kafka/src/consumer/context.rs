//! What librdkafka tells a consumer outside of records.
//!
//! Callbacks run inside a poll, on the engine's own task: they only note what happened, and the engine acts on it once
//! the poll is over. A rebalance is therefore answered when its partitions are drained, not before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use crate::client::{ASKS_FOR_TOKENS, ClientEvents};
use crate::error::KafkaFailure;
use crate::settings::KafkaSettings;

/// Something the engine has to act on.
pub(super) enum Notice {
    /// Partitions are given to this member.
    Assign(TopicPartitionList),
    /// Partitions are taken from this member.
    Revoke(TopicPartitionList),
    /// A commit was answered.
    Committed(KafkaResult<()>),
}

/// The consumer's context.
pub(super) struct Context {
    events: ClientEvents,
    notices: Mutex<VecDeque<Notice>>,
    pending: AtomicBool,
    closing: AtomicBool,
}

impl Context {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, KafkaFailure> {
        Ok(Self {
            events: ClientEvents::new(settings)?,
            notices: Mutex::default(),
            pending: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        })
    }

    /// Whether there are notices; cheap enough to ask after every record.
    pub(super) fn has_notices(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Whether partitions come or go.
    pub(super) fn has_rebalance(&self) -> bool {
        let is_rebalance = |notice: &Notice| !matches!(notice, Notice::Committed(_));
        self.has_notices() && self.notices.lock().unwrap_or_else(PoisonError::into_inner).iter().any(is_rebalance)
    }

    /// The oldest notice.
    pub(super) fn next_notice(&self) -> Option<Notice> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let notice = notices.pop_front();
        self.pending.store(!notices.is_empty(), Ordering::Release);
        notice
    }

    /// The answers to commits, taken out of turn.
    pub(super) fn take_commit_answers(&self) -> Vec<KafkaResult<()>> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let (answers, others) =
            notices.drain(..).partition::<Vec<_>, _>(|notice| matches!(notice, Notice::Committed(_)));
        notices.extend(others);
        self.pending.store(!notices.is_empty(), Ordering::Release);
        let result = |notice| if let Notice::Committed(result) = notice { Some(result) } else { None };
        answers.into_iter().filter_map(result).collect()
    }

    /// From now on rebalances are answered at once: the engine has ended, and closing the client waits for the answer.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn note(&self, notice: Notice) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push_back(notice);
        self.pending.store(true, Ordering::Release);
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = ASKS_FOR_TOKENS;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.events.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.events.token()
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, client: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if !self.closing.load(Ordering::Acquire) {
            let partitions = partitions.clone();
            self.note(if assigned { Notice::Assign(partitions) } else { Notice::Revoke(partitions) });
        } else if !assigned && let Err(error) = client.incremental_unassign(partitions) {
            tracing::warn!(%error, "giving partitions back while closing");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let refused = offsets.elements().iter().find_map(|element| element.error().err());
        self.note(Notice::Committed(result.and(refused.map_or(Ok(()), Err))));
    }
}
