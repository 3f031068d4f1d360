//! The embedded broker: librdkafka's mock cluster, in this process's memory, for a first run with nothing installed.
//!
//! It speaks Kafka's protocol on 127.0.0.1 to librdkafka clients and many others. Its limits:
//!
//! - Java clients (kafka-clients 3.0 to 4.4) read nothing, and log no error: the response to an `ApiVersions` request
//!   of an unknown version, from 3 on, is malformed. They read its key as a throttle time of 1,179,648 ms and wait for
//!   twenty minutes. No setting of the mock cluster changes that response.
//! - A partition keeps at most 5 MiB or 100,000 batches; the oldest are dropped silently. Nothing survives the process.
//! - Transactions are not isolated: their records are visible at once, aborted or not.
//! - There is no admin API: topics are created at the start ([`Embedded::start`]), or by a client's first request for
//!   them with four partitions.
//! - The first member of a group waits three seconds for others.
//! - Listing its groups (`fetch_group_list`) **aborts the whole process**: never do it.

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError as RdKafkaError;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

/// The limits of the embedded broker, for users.
pub const LIMITS: &str = "\
the embedded broker lives in this process's memory: at most 5 MiB or 100,000 batches a partition (the oldest are \
dropped silently), nothing is kept after the exit, transactions are not isolated, there is no admin API, and Java \
clients get no answer; for anything more use --kafka apache or --kafka HOST:PORT";

/// Why the embedded broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// librdkafka did not create the cluster.
    #[error("the embedded broker did not start: {0}")]
    Start(#[source] RdKafkaError),
    /// The mock cluster refused a topic's name or number of partitions.
    #[error("the embedded broker refused the topic `{topic}` with {partitions} partitions: {source}")]
    Topic {
        /// The topic's name.
        topic: String,
        /// The number of partitions requested.
        partitions: i32,
        /// librdkafka's reason.
        source: RdKafkaError,
    },
}

/// A running mock cluster of one broker; it ends when this is dropped.
pub struct Embedded {
    /// The client that owns the mock cluster; it sends nothing itself.
    owner: BaseProducer<SilentContext>,
    bootstrap_servers: String,
}

impl Embedded {
    /// Starts the cluster with `topics`, each a name and its number of partitions.
    ///
    /// # Errors
    /// Where librdkafka refuses the cluster or one of the topics.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, Error> {
        let owner: BaseProducer<SilentContext> = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .create_with_context(SilentContext)
            .map_err(Error::Start)?;
        let bootstrap_servers = create_topics(&owner, topics)?;
        Ok(Self { owner, bootstrap_servers })
    }

    /// Its address, `127.0.0.1:port`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }
}

/// Creates the topics in the mock cluster of `owner`, and returns its address.
fn create_topics(owner: &BaseProducer<SilentContext>, topics: &[(&str, i32)]) -> Result<String, Error> {
    let cluster =
        owner.client().mock_cluster().ok_or(Error::Start(RdKafkaError::MockCluster(RDKafkaErrorCode::Fail)))?;
    for &(topic, partitions) in topics {
        // The mock cluster accepts a topic without partitions, which no client can use.
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

/// Discards the owner's log, which says only that a mock cluster is in use.
struct SilentContext;

impl ClientContext for SilentContext {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ProducerContext for SilentContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): ()) {}
}
