//! The catalogue's topics on a broker.

use std::time::Duration;

use anyhow::anyhow;
use millrace_broker::topics::{Error, TopicSpec, create_missing};
use millrace_domain::catalogue::catalogue;
use millrace_kafka::error::{ClientError, describe};
use millrace_kafka::{KafkaError, KafkaSettings};
use rdkafka::client::DefaultClientContext;

/// How long the creation of topics may take.
const CREATION: Duration = Duration::from_secs(20);

/// Creates the catalogue's topics that do not exist yet, with the broker's default replication. Existing ones are
/// taken as they are. Not for the embedded broker, which cannot be asked to. Gives the names of those it created.
pub(crate) async fn create(settings: &KafkaSettings) -> anyhow::Result<Vec<String>> {
    let topics: Vec<TopicSpec> = catalogue()
        .all()
        .into_iter()
        .map(|topic| TopicSpec {
            config: topic.config().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            letters_of: catalogue().source_of(&topic.name).map(|source| source.name.clone()),
            ..TopicSpec::new(topic.name, topic.partitions)
        })
        .collect();
    let config = settings.client_config("topics")?;
    let created = create_missing(&config, DefaultClientContext, &topics, CREATION).await;
    created.map_err(|error| in_plain_words(error, &settings.bootstrap_servers))
}

/// What failed, said once, with the broker's address.
fn in_plain_words(error: Error, bootstrap_servers: &str) -> anyhow::Error {
    let creating = |reason: String| anyhow!("creating topics on {bootstrap_servers}: {reason}");
    match error {
        Error::Unreachable { bootstrap_servers, source, .. } => {
            KafkaError::unreachable(&bootstrap_servers, source).into()
        }
        Error::Client(source) => creating(ClientError(source).to_string()),
        Error::Refused { topic, code } => creating(format!("the broker refused {topic}: {}", describe(code))),
        error @ Error::NotReady { .. } => creating(error.to_string()),
    }
}
