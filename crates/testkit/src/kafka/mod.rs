//! A real Kafka for tests.
//!
//! ```no_run
//! # async fn test() {
//! use millrace_testkit::kafka::{self, Isolation, RawRecord};
//!
//! let Some(kafka) = kafka::shared().await else { return };
//! let orders = kafka.create_unique_topic("orders", 3).await;
//! kafka.produce(&orders, [RawRecord::new("{}").key("101")]).await;
//! assert_eq!(kafka.read_all(&orders, Isolation::Committed).await.len(), 1);
//! # }
//! ```
//!
//! The first that is available: the broker in `KAFKA_BOOTSTRAP_SERVERS`; a container, where a Docker engine answers and
//! has or can pull the image; Apache Kafka from its jars, where a JDK is installed. Without any, a test prints that it
//! is skipped, and fails if `CI` is set.
//!
//! One broker serves all tests of a binary, so each uses its own topics and groups ([`unique`]). Tests that inject
//! faults start their own ([`dedicated`]). No broker outlives the test process, however that ends.

mod container;
mod produce;
mod proxy;
mod read;

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use millrace_broker::apache::{self, ApacheBuilder, Broker};
use millrace_broker::topics::{self, TopicSpec};
use millrace_broker::{Apache, ApacheCluster};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::docker::{Container, Docker};
use crate::missing::skip;

pub use produce::{Place, RawRecord, TransactionEnd};
pub use proxy::{ApiKey, FIND_COORDINATOR, JOIN_GROUP, LIST_GROUPS, LossyProxy};
pub use read::{Isolation, OwnedRecord};

/// The time-out of one operation on a healthy broker, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Its name in the message of a skipped test.
const NAME: &str = "Kafka";

/// A Kafka cluster to test against.
#[derive(Debug)]
pub struct Kafka {
    bootstrap_servers: String,
    origin: Origin,
}

/// Where the cluster comes from. Dropping it ends the cluster.
#[derive(Debug)]
enum Origin {
    /// Not started by this process.
    Environment,
    /// A container of this process.
    Container { _container: Container },
    /// Brokers of this process. They end before their files are removed: fields drop in order.
    Jars { cluster: ApacheCluster, _folder: Option<TempDir> },
}

/// The broker of this test binary; `None` if none is available and the test is to be skipped, which is printed.
///
/// # Panics
/// If none is available and `CI` is set; if one does not start.
pub async fn shared() -> Option<&'static Kafka> {
    static SHARED: OnceCell<Result<Kafka, String>> = OnceCell::const_new();
    let found = SHARED.get_or_init(find).await;
    found.as_ref().map_err(|reason| skip(NAME, reason)).ok()
}

/// A cluster from the jars for this test alone, whose brokers it may pause and kill; `configure` sets its size and
/// settings. `None` and panics as in [`shared`].
pub async fn dedicated(configure: impl FnOnce(ApacheBuilder) -> ApacheBuilder) -> Option<Kafka> {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a broker: {error}"));
    let builder = configure(Apache::builder(folder.path()).scratch().short_lived());
    match builder.start().await {
        Ok(cluster) => Some(Kafka::of_jars(cluster, Some(folder))),
        Err(missing @ apache::Error::ProgramMissing { .. }) => {
            skip(NAME, &missing.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A unique name for a topic or a group: `orders-0198…`.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::now_v7().simple())
}

async fn find() -> Result<Kafka, String> {
    if let Some(bootstrap_servers) = env::var("KAFKA_BOOTSTRAP_SERVERS").ok().filter(|servers| !servers.is_empty()) {
        let kafka = Kafka { bootstrap_servers, origin: Origin::Environment };
        kafka.wait_until_reachable().await;
        return Ok(kafka);
    }
    let no_docker = match Docker::new("docker").run(container::service).await {
        Ok(container) => {
            let bootstrap_servers = format!("127.0.0.1:{}", container.port());
            let kafka = Kafka { bootstrap_servers, origin: Origin::Container { _container: container } };
            kafka.wait_until_reachable().await;
            return Ok(kafka);
        }
        Err(reason) => reason,
    };
    // A static is never dropped: the watchdog removes the folder when the process ends.
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a broker: {error}")).keep();
    match Apache::builder(&folder).scratch().short_lived().start().await {
        Ok(cluster) => Ok(Kafka::of_jars(cluster, None)),
        Err(missing @ apache::Error::ProgramMissing { .. }) => {
            // Nothing uses it; an empty folder left behind is harmless.
            let _ = std::fs::remove_dir_all(&folder);
            Err(format!("KAFKA_BOOTSTRAP_SERVERS is not set; {no_docker}; {missing}"))
        }
        Err(error) => panic!("{error}"),
    }
}

impl Kafka {
    fn of_jars(cluster: ApacheCluster, folder: Option<TempDir>) -> Self {
        Self { bootstrap_servers: cluster.bootstrap_servers(), origin: Origin::Jars { cluster, _folder: folder } }
    }

    /// The bootstrap servers: `host:port,…`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// A client configuration with the bootstrap servers alone.
    pub fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.bootstrap_servers);
        client
    }

    /// A broker of a [`dedicated`] cluster, for fault injection. Ids count from 1.
    ///
    /// # Panics
    /// If the cluster has no such broker, or this process has not started it.
    pub fn broker(&self, id: i32) -> &Broker {
        let broker = match &self.origin {
            Origin::Jars { cluster, .. } => cluster.broker(id),
            Origin::Environment | Origin::Container { .. } => None,
        };
        broker.unwrap_or_else(|| panic!("this process has no broker {id}"))
    }

    /// Creates missing topics, and returns when they can be written to.
    ///
    /// # Panics
    /// Where the broker refuses one.
    pub async fn create_topics(&self, topics: &[TopicSpec]) {
        topics::create_missing(&self.client(), DefaultClientContext, topics, TIMEOUT)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Creates a topic with a unique name that begins with `prefix`, and returns the name.
    ///
    /// # Panics
    /// Where the broker refuses it.
    pub async fn create_unique_topic(&self, prefix: &str, partitions: i32) -> String {
        let name = unique(prefix);
        self.create_topics(&[TopicSpec::new(&name, partitions)]).await;
        name
    }

    /// Deletes a topic, and returns when it is deleted.
    ///
    /// # Panics
    /// Where the broker refuses.
    pub async fn delete_topic(&self, topic: &str) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().unwrap_or_else(|error| panic!("cannot create an admin client: {error}"));
        let deleted = admin.delete_topics(&[topic], &AdminOptions::new().operation_timeout(Some(TIMEOUT))).await;
        let deleted = deleted.unwrap_or_else(|error| panic!("deleting {topic}: {error}"));
        assert!(deleted.iter().all(Result::is_ok), "deleting {topic}: {deleted:?}");
    }

    /// Deletes the records of a topic's partitions below these offsets, as retention does.
    ///
    /// # Panics
    /// Where the broker refuses.
    pub async fn delete_records(&self, topic: &str, before: &BTreeMap<i32, i64>) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().unwrap_or_else(|error| panic!("an admin client: {error}"));
        let mut offsets = TopicPartitionList::new();
        for (&partition, &offset) in before {
            let added = offsets.add_partition_offset(topic, partition, Offset::Offset(offset));
            added.unwrap_or_else(|error| panic!("no offset {offset} of {topic}: {error}"));
        }
        let deleted = admin.delete_records(&offsets, &AdminOptions::new().operation_timeout(Some(TIMEOUT))).await;
        let deleted = deleted.unwrap_or_else(|error| panic!("deleting records of {topic}: {error}"));
        let is_deleted = deleted.elements().iter().all(|partition| partition.error().is_ok());
        assert!(is_deleted, "deleting records of {topic}: {deleted:?}");
    }

    /// Creating no topics succeeds once the broker answers.
    async fn wait_until_reachable(&self) {
        self.create_topics(&[]).await;
    }
}
