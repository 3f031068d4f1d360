//! The committed offsets of a group, read and written by a program that is not a member of it.
//!
//! Kafka accepts such commits only while the group has no members.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::KafkaError;
use crate::logging_context::LoggingContext;
use crate::retry;
use crate::settings::KafkaSettings;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the next record to read.
    pub offset: i64,
    /// The commit metadata; at most `offset.metadata.max.bytes` (default 4,096 bytes).
    pub metadata: String,
}

/// The offsets of one group for one topic.
#[derive(Clone)]
pub struct GroupOffsets {
    client: Arc<BaseConsumer<LoggingContext>>,
    bootstrap: String,
    topic: String,
}

impl GroupOffsets {
    /// A client for the group's offsets; it connects in the background.
    ///
    /// # Errors
    /// [`KafkaError`] where the settings are wrong.
    pub fn new(settings: &KafkaSettings, group: &str, topic: &str) -> Result<Self, KafkaError> {
        let mut config = settings.client_config("offsets")?;
        // With `read_committed` the coordinator answers only when pending transactional offsets are decided.
        config.set("group.id", group).set("enable.auto.commit", "false").set("isolation.level", "read_committed");
        let context = LoggingContext::new(settings)?;
        let client = config.create_with_context(context).map_err(KafkaError::call("creating a client"))?;
        Ok(Self { client: Arc::new(client), bootstrap: settings.bootstrap_servers.clone(), topic: topic.to_owned() })
    }

    /// The committed offsets of partitions 0 to `partitions` - 1, without those that have none.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where the group's coordinator does not answer in time.
    pub async fn fetch(&self, partitions: i32, timeout: Duration) -> Result<BTreeMap<i32, Committed>, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, partitions - 1);
        self.query(move |client| {
            let answer = retry::until_final(timeout, |left| client.committed_offsets(list.clone(), left))?;
            let elements = answer.elements();
            let committed = elements.iter().filter_map(|element| match element.offset() {
                Offset::Offset(offset) => {
                    Some((element.partition(), Committed { offset, metadata: element.metadata().to_owned() }))
                }
                _ => None,
            });
            Ok(committed.collect())
        })
        .await
    }

    /// Commits synchronously, outside of any transaction.
    ///
    /// # Errors
    /// [`KafkaError`] where the coordinator refuses or does not answer.
    pub async fn commit(&self, commits: &BTreeMap<i32, Committed>) -> Result<(), KafkaError> {
        let list = self.list(commits)?;
        self.query(move |client| client.commit(&list, CommitMode::Sync)).await
    }

    /// `commits` as librdkafka's list.
    pub(crate) fn list(&self, commits: &BTreeMap<i32, Committed>) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(commits.len());
        for (&partition, committed) in commits {
            let mut element = list.add_partition(&self.topic, partition);
            element.set_metadata(&committed.metadata);
            element.set_offset(Offset::Offset(committed.offset)).map_err(KafkaError::call("committing"))?;
        }
        Ok(list)
    }

    /// The group metadata that a transaction needs.
    pub(crate) fn group(&self) -> Result<ConsumerGroupMetadata, KafkaError> {
        let no_group = || RdKafkaError::ClientCreation("the client has no group".to_owned());
        self.client.group_metadata().ok_or_else(|| KafkaError::call("committing in a transaction")(no_group()))
    }

    /// Runs a query on a blocking thread: librdkafka blocks its caller.
    async fn query<T, Q>(&self, query: Q) -> Result<T, KafkaError>
    where
        T: Send + 'static,
        Q: FnOnce(&BaseConsumer<LoggingContext>) -> KafkaResult<T> + Send + 'static,
    {
        let client = Arc::clone(&self.client);
        let answer = tokio::task::spawn_blocking(move || query(&client)).await;
        answer.unwrap_or(Err(RdKafkaError::Canceled)).map_err(|error| KafkaError::unreachable(&self.bootstrap, error))
    }
}

impl std::fmt::Debug for GroupOffsets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupOffsets").field("topic", &self.topic).finish_non_exhaustive()
    }
}
