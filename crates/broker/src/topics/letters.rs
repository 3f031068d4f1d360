//! Room for dead letters: whatever a topic takes, its dead-letter topic takes with what a letter adds.

use rdkafka::admin::{AdminClient, AdminOptions, ConfigEntry, ConfigResource, ResourceSpecifier};
use rdkafka::client::ClientContext;

use super::{Deadline, Error, TopicSpec};

/// Kafka's name for the largest batch that a topic takes, in bytes. A large record is a batch of its own.
const LARGEST: &str = "max.message.bytes";

/// What the headers of a dead letter may take, in bytes.
const LETTER_BYTES: u64 = 64 << 10;

/// Widens a dead-letter topic that is to be made, where the topic it belongs to exists and takes more than was thought.
pub(super) async fn widen<C>(admin: &AdminClient<C>, topic: &mut TopicSpec, deadline: &Deadline) -> Result<(), Error>
where
    C: ClientContext,
{
    let Some(source) = topic.letters_of.as_deref() else { return Ok(()) };
    let options = AdminOptions::new().request_timeout(Some(deadline.left()));
    let resource = ResourceSpecifier::Topic(source);
    let answers = admin.describe_configs([&resource], &options).await.map_err(Error::Client)?;
    let largest = answers.into_iter().find_map(|answer| largest(&answer.ok()?));
    let set = topic.config.get(LARGEST).and_then(|text| text.parse().ok()).unwrap_or(0);
    if let Some(needed) = largest.map(|bytes| bytes + LETTER_BYTES).filter(|&needed| needed > set) {
        topic.config.insert(LARGEST.to_owned(), needed.to_string());
    }
    Ok(())
}

fn largest(source: &ConfigResource) -> Option<u64> {
    let ConfigEntry { value, .. } = source.entries.iter().find(|entry| entry.name == LARGEST)?;
    value.as_deref()?.parse().ok()
}
