//! Settings of topics (Kafka's topic configuration).

use std::sync::Arc;
use std::time::Duration;

use super::{AdminClient, blocking};
use crate::error::KafkaError;
use crate::ffi;

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
        let ask = move |client: &_| ffi::topic_setting(client, &topic, setting, timeout);
        blocking(Arc::clone(&self.client), ask).await.map_err(KafkaError::call("reading a topic's settings"))
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
