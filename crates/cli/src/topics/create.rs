//! Creates the catalogue's topics on a broker.

use std::time::Duration;

use anyhow::anyhow;
use millrace_broker::topics::{Error, TopicSpec, create_missing};
use millrace_domain::catalogue::{Catalogue, Topic, catalogue};
use millrace_host::app::AppError;
use millrace_kafka::error::{ClientError, describe};
use millrace_kafka::{KafkaError, KafkaSettings};
use rdkafka::client::DefaultClientContext;

/// Time-out of creating or growing topics.
pub(super) const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);

/// Creates the catalogue's missing topics with the broker's default replication, and returns their names. Existing
/// topics are not changed. The embedded broker does not support it.
pub(crate) async fn create(settings: &KafkaSettings) -> anyhow::Result<Vec<String>> {
    let topics: Vec<TopicSpec> = catalogue().all().into_iter().map(|topic| spec(topic, catalogue(), None)).collect();
    let config = settings.client_config("topics").map_err(AppError::from)?;
    let created = create_missing(&config, DefaultClientContext, &topics, CHANGE_TIMEOUT).await;
    created.map_err(|error| change_error(error, &settings.bootstrap_servers))
}

/// A topic of a catalogue as the broker is to create it.
pub(super) fn spec(topic: Topic, catalogue: &Catalogue, replication: Option<i32>) -> TopicSpec {
    TopicSpec {
        config: topic.config().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        letters_of: catalogue.source_of(&topic.name).map(|source| source.name.clone()),
        replication,
        ..TopicSpec::new(topic.name, topic.partitions)
    }
}

/// The error with the broker's address, and without repeated causes.
pub(super) fn change_error(error: Error, bootstrap_servers: &str) -> anyhow::Error {
    let changing = |reason: String| anyhow!("changing topics on {bootstrap_servers}: {reason}");
    match error {
        Error::Unreachable { bootstrap_servers, source, .. } => {
            KafkaError::unreachable(&bootstrap_servers, source).into()
        }
        Error::Client(source) => changing(ClientError(source).to_string()),
        Error::Refused { topic, code } => changing(format!("the broker refused {topic}: {}", describe(code))),
        error @ Error::NotReady { .. } => changing(error.to_string()),
    }
}
