//! Makes the topics that a broker does not have yet, and grows others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;

use crate::blocking;

/// How long one request may take, so that a bound is looked at between requests.
const REQUEST: Duration = Duration::from_secs(1);

/// How often a topic that was just made is looked for.
const POLL: Duration = Duration::from_millis(20);

/// A topic as it should be where it does not exist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TopicSpec {
    /// The topic's name.
    pub name: String,
    /// Its number of partitions.
    pub partitions: i32,
    /// Copies of each partition; `None` leaves it to the broker's default.
    pub replication: Option<i32>,
    /// Topic settings by Kafka's names, such as `retention.ms`.
    pub config: BTreeMap<String, String>,
}

impl TopicSpec {
    /// A topic with the broker's default replication and settings.
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, replication: None, config: BTreeMap::new() }
    }
}

/// Why topics are not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting of the client is wrong.
    #[error("the Kafka admin client was refused: {0}")]
    Client(#[source] RdKafkaError),
    /// No broker answered within the bound.
    #[error("no broker answered at {bootstrap_servers} within {bound:?}: {source}")]
    Unreachable {
        /// The addresses asked.
        bootstrap_servers: String,
        /// How long they were asked.
        bound: Duration,
        /// The last refusal.
        source: RdKafkaError,
    },
    /// The broker refused a topic: its name, its settings, or the right to make or to grow it.
    #[error("the broker refused the topic `{topic}`: {code}")]
    Refused {
        /// The topic's name.
        topic: String,
        /// The broker's reason.
        code: RDKafkaErrorCode,
    },
    /// Topics were made, and the cluster's metadata did not show them, with a leader for each partition, in time.
    #[error("topics did not become ready within {bound:?}: {}", topics.join(", "))]
    NotReady {
        /// The topics still missing.
        topics: Vec<String>,
        /// How long they were waited for.
        bound: Duration,
    },
}

/// Creates those of `topics` that do not exist, and returns their names once they can be written to.
///
/// Existing topics are taken as they are. `client` holds the address and the security settings; `context` serves its
/// callbacks (`DefaultClientContext` where there are none). All of it takes at most `bound` and a second.
///
/// # Errors
/// [`Error`] names the cases. Topics made before an error stay.
pub async fn create_missing<C>(
    client: &ClientConfig,
    context: C,
    topics: &[TopicSpec],
    bound: Duration,
) -> Result<Vec<String>, Error>
where
    C: ClientContext + 'static,
{
    let deadline = Deadline { end: Instant::now() + bound, bound };
    let admin = AdminClient::from_config_and_context(client, context).map_err(Error::Client)?;
    let admin = Arc::new(admin);
    let existing = loop {
        match led_partitions(&admin).await {
            Ok(existing) => break existing,
            Err(source) if deadline.passed() => {
                let bootstrap_servers = client.get("bootstrap.servers").unwrap_or("(none)").to_owned();
                return Err(Error::Unreachable { bootstrap_servers, bound, source });
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    };
    let missing: Vec<TopicSpec> = topics.iter().filter(|topic| !existing.contains_key(&topic.name)).cloned().collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let created = create(&admin, &missing, &deadline).await?;
    // Another process may have made it with fewer partitions.
    wait_until_ready(&admin, &missing, |_| 1, &deadline).await?;
    Ok(created)
}

/// Gives existing topics more partitions, and returns when they can be written to. Takes at most `bound` and a second.
///
/// # Errors
/// [`Error`] names the cases. What grew before an error stays.
pub async fn grow<C>(client: &ClientConfig, context: C, topics: &[TopicSpec], bound: Duration) -> Result<(), Error>
where
    C: ClientContext + 'static,
{
    let deadline = Deadline { end: Instant::now() + bound, bound };
    let admin = AdminClient::from_config_and_context(client, context).map_err(Error::Client)?;
    let partitions = |topic: &TopicSpec| usize::try_from(topic.partitions).unwrap_or(0);
    let grown: Vec<_> = topics.iter().map(|topic| NewPartitions::new(&topic.name, partitions(topic))).collect();
    let options = AdminOptions::new().request_timeout(Some(bound)).operation_timeout(Some(bound));
    for result in admin.create_partitions(&grown, &options).await.map_err(Error::Client)? {
        result.map_err(|(topic, code)| Error::Refused { topic, code })?;
    }
    wait_until_ready(&Arc::new(admin), topics, partitions, &deadline).await
}

struct Deadline {
    end: Instant,
    bound: Duration,
}

impl Deadline {
    fn passed(&self) -> bool {
        Instant::now() >= self.end
    }

    /// What is left for one more request.
    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now()).max(REQUEST)
    }
}

/// Another process may make the same topics at the same moment: then they exist, which is what was wanted.
async fn create<C>(admin: &AdminClient<C>, missing: &[TopicSpec], deadline: &Deadline) -> Result<Vec<String>, Error>
where
    C: ClientContext,
{
    let new_topics: Vec<NewTopic<'_>> = missing.iter().map(new_topic).collect();
    let left = deadline.left();
    let options = AdminOptions::new().request_timeout(Some(left)).operation_timeout(Some(left));
    let results = admin.create_topics(&new_topics, &options).await.map_err(Error::Client)?;
    let mut created = Vec::new();
    for result in results {
        match result {
            Ok(topic) => created.push(topic),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(Error::Refused { topic, code }),
        }
    }
    Ok(created)
}

fn new_topic(topic: &TopicSpec) -> NewTopic<'_> {
    /// A replication of -1 is the broker's `default.replication.factor` (KIP-464).
    const BROKER_DEFAULT: i32 = -1;
    let replication = TopicReplication::Fixed(topic.replication.unwrap_or(BROKER_DEFAULT));
    topic
        .config
        .iter()
        .fold(NewTopic::new(&topic.name, topic.partitions, replication), |new, (name, value)| new.set(name, value))
}

/// Waits until each topic has at least `partitions`, and all of them have a leader.
async fn wait_until_ready<C>(
    admin: &Arc<AdminClient<C>>,
    topics: &[TopicSpec],
    partitions: impl Fn(&TopicSpec) -> usize,
    deadline: &Deadline,
) -> Result<(), Error>
where
    C: ClientContext + 'static,
{
    loop {
        let existing = led_partitions(admin).await.unwrap_or_default();
        let is_waiting = |topic: &&TopicSpec| existing.get(&topic.name).copied().unwrap_or(0) < partitions(topic);
        let waiting: Vec<String> = topics.iter().filter(is_waiting).map(|topic| topic.name.clone()).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        if deadline.passed() {
            return Err(Error::NotReady { topics: waiting, bound: deadline.bound });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The topics that exist, and how many partitions each has; 0 where one of them has no leader.
async fn led_partitions<C>(admin: &Arc<AdminClient<C>>) -> KafkaResult<BTreeMap<String, usize>>
where
    C: ClientContext + 'static,
{
    let admin = Arc::clone(admin);
    blocking(move || {
        let metadata = admin.inner().fetch_metadata(None, REQUEST)?;
        let led = |topic: &MetadataTopic| {
            let is_led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
            if is_led { topic.partitions().len() } else { 0 }
        };
        Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), led(topic))).collect())
    })
    .await
}
