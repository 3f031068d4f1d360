//! Creates the catalogue's topics on a broker.

use std::time::Duration;

use millrace_broker::topics::{TopicSpec, create_missing};
use millrace_domain::catalogue::{Topic, catalogue};
use millrace_kafka::KafkaSettings;
use millrace_kafka::logging_context::LoggingContext;

use crate::error::TopicsError;

/// Time-out of creating or growing topics.
pub(crate) const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);

/// Creates Millrace's topics that are missing, with the broker's default replication, and returns their names. Existing
/// topics are not changed. The embedded broker does not support it.
///
/// # Errors
/// [`TopicsError`] names the cases.
pub async fn create(settings: &KafkaSettings) -> Result<Vec<String>, TopicsError> {
    let topics: Vec<TopicSpec> = catalogue().all().into_iter().map(|topic| spec(topic, None)).collect();
    create_topics(settings, &topics).await
}

pub(crate) async fn create_topics(settings: &KafkaSettings, topics: &[TopicSpec]) -> Result<Vec<String>, TopicsError> {
    let (config, context) = (settings.client_config("topics")?, LoggingContext::new(settings)?);
    let created = create_missing(&config, context, topics, CHANGE_TIMEOUT).await;
    created.map_err(|error| TopicsError::change(error, &settings.bootstrap_servers))
}

/// A topic of a catalogue as the broker is to create it.
pub(crate) fn spec(topic: Topic, replication: Option<i32>) -> TopicSpec {
    TopicSpec {
        config: topic.config().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        replication,
        ..TopicSpec::new(topic.name, topic.partitions)
    }
}
