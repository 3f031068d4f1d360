//! Settings of topics (Kafka's topic configuration).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::topic_plan::TopicState;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::MetadataTopic;

use super::{AdminClient, blocking};
use crate::error::KafkaError;
use crate::ffi;

const READING: &str = "reading a topic's settings";

impl AdminClient {
    /// A setting of a topic by Kafka's name, its default included; `None` where the broker names none.
    ///
    /// # Errors
    /// [`KafkaError::Call`] with what the broker answered.
    pub async fn topic_setting(
        &self,
        topic: &str,
        setting: &'static str,
        timeout: Duration,
    ) -> Result<Option<String>, KafkaError> {
        let topic = topic.to_owned();
        let ask = move |client: &_| ffi::topic_settings(client, &topic, timeout);
        let settings = blocking(Arc::clone(&self.client), ask).await.map_err(KafkaError::call(READING))?;
        Ok(settings.into_iter().find_map(|(name, value)| (name == setting).then_some(value)))
    }

    /// Those of these topics that the cluster has: partitions, replication and settings. Each request takes at most
    /// `timeout`.
    ///
    /// # Errors
    /// [`KafkaError`] where the brokers do not answer, or do not tell.
    pub async fn topic_states(
        &self,
        topics: Vec<String>,
        timeout: Duration,
    ) -> Result<BTreeMap<String, TopicState>, KafkaError> {
        let ask = move |client: &BaseConsumer<_>| {
            let metadata = client.fetch_metadata(None, timeout)?;
            let exists = |topic: &&MetadataTopic| topics.iter().any(|name| name == topic.name());
            let state = |topic: &MetadataTopic| {
                let partitions = topic.partitions();
                let replicas = partitions.iter().map(|partition| partition.replicas().len()).min();
                let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
                let settings = ffi::topic_settings(client, topic.name(), timeout)?;
                let state = TopicState {
                    partitions: count(partitions.len()),
                    replication: count(replicas.unwrap_or(0)),
                    settings,
                };
                Ok((topic.name().to_owned(), state))
            };
            metadata.topics().iter().filter(exists).map(state).collect()
        };
        blocking(Arc::clone(&self.client), ask).await.map_err(KafkaError::call(READING))
    }

    /// Sets one setting of a topic and leaves its others as they are.
    ///
    /// # Errors
    /// [`KafkaError::Call`] with what the broker answered.
    pub async fn set_topic_setting(
        &self,
        topic: &str,
        setting: &'static str,
        value: String,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let topic = topic.to_owned();
        let ask = move |client: &_| ffi::set_topic_setting(client, &topic, setting, &value, timeout);
        blocking(Arc::clone(&self.client), ask).await.map_err(KafkaError::call("changing a topic's settings"))
    }
}
