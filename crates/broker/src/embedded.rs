//! librdkafka's mock cluster: a broker in this process's memory, for a first run with nothing installed.
//!
//! It speaks Kafka's protocol on 127.0.0.1, to the clients of this machine that are made of librdkafka and to many
//! others. It is not a Kafka:
//!
//! - Java clients (kafka-clients 3.0 to 4.4) read nothing, and show no error: the answer to an `ApiVersions`
//!   request of a version that it does not know, from 3 on, is malformed. They take the key in it for a throttle time of
//!   1,179,648 ms and wait for twenty minutes. No setting of the mock cluster changes that answer.
//! - A partition keeps at most 5 MiB or 100,000 batches; the oldest are dropped without a word. Nothing survives the
//!   process.
//! - Transactions are accepted and mean nothing: what they write is visible at once, aborted or not.
//! - There is no admin API: topics are made at the start ([`Embedded::start`]) or by the first client that asks for
//!   them, with four partitions then.
//! - The first member of a group waits three seconds for others.
//! - Asking it for its groups (`fetch_group_list`) **aborts the whole process**: never do.

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError as RdKafkaError;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

/// What a person who meets the embedded broker must know of it.
pub const LIMITS: &str = "\
the embedded broker lives in this process's memory: at most 5 MiB or 100,000 batches a partition (the oldest are \
dropped silently), nothing is kept after the exit, transactions are not isolated, there is no admin API, and Java \
clients get no answer; for anything more use --kafka apache or --kafka HOST:PORT";

/// Why the embedded broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// librdkafka did not make the cluster.
    #[error("the embedded broker did not start: {0}")]
    Start(#[source] RdKafkaError),
    /// A topic has a name or a partition count that the mock cluster refuses.
    #[error("the embedded broker refused the topic `{topic}` with {partitions} partitions: {source}")]
    Topic {
        /// The topic's name.
        topic: String,
        /// The partitions asked for.
        partitions: i32,
        /// librdkafka's reason.
        source: RdKafkaError,
    },
}

/// A running mock cluster of one broker; it ends when this is dropped.
pub struct Embedded {
    /// The mock cluster belongs to this client, which itself sends nothing.
    owner: BaseProducer<Mute>,
    bootstrap_servers: String,
}

impl Embedded {
    /// Starts the cluster with `topics`, each a name and its number of partitions.
    ///
    /// # Errors
    /// Where librdkafka refuses the cluster or one of the topics.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, Error> {
        let owner: BaseProducer<Mute> =
            ClientConfig::new().set("test.mock.num.brokers", "1").create_with_context(Mute).map_err(Error::Start)?;
        let bootstrap_servers = create_topics(&owner, topics)?;
        Ok(Self { owner, bootstrap_servers })
    }

    /// Where clients of this machine find it, as `127.0.0.1:port`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }
}

/// Creates the topics in the mock cluster that `owner` has, and returns its address.
fn create_topics(owner: &BaseProducer<Mute>, topics: &[(&str, i32)]) -> Result<String, Error> {
    let cluster =
        owner.client().mock_cluster().ok_or(Error::Start(RdKafkaError::MockCluster(RDKafkaErrorCode::Fail)))?;
    for &(topic, partitions) in topics {
        // The mock cluster takes a topic without partitions, and no client can use it.
        let created = if partitions < 1 {
            Err(RdKafkaError::MockCluster(RDKafkaErrorCode::InvalidPartitions))
        } else {
            cluster.create_topic(topic, partitions, 1)
        };
        created.map_err(|source| Error::Topic { topic: topic.to_owned(), partitions, source })?;
    }
    Ok(cluster.bootstrap_servers())
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("in_flight", &self.owner.in_flight_count())
            .finish()
    }
}

/// The owner's own log says only that a mock cluster is in use, which is what was asked for.
struct Mute;

impl ClientContext for Mute {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ProducerContext for Mute {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): ()) {}
}
