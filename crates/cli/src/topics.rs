//! The catalogue's topics on a broker.

use std::time::Duration;

use anyhow::Context as _;
use millrace_broker::topics::{TopicSpec, create_missing};
use millrace_domain::catalogue::catalogue;
use millrace_kafka::KafkaSettings;
use rdkafka::client::DefaultClientContext;

/// How long the creation of topics may take.
const CREATION: Duration = Duration::from_secs(20);

/// Creates the catalogue's topics that do not exist yet, with the broker's default replication. Existing ones are
/// taken as they are. Not for the embedded broker, which cannot be asked to.
pub(crate) async fn create(settings: &KafkaSettings) -> anyhow::Result<()> {
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
    let created = created.with_context(|| format!("creating topics on {}", settings.bootstrap_servers))?;
    if !created.is_empty() {
        tracing::info!(topics = created.join(", "), "topics created");
    }
    Ok(())
}
