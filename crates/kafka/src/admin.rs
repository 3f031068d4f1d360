//! Admin client: brokers, topics, offsets and consumer groups of a cluster. For status pages and tools, not hot paths.

mod topic_settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::KafkaError;
use crate::logging_context::LoggingContext;
use crate::offsets::Committed;
use crate::rebootstrap::Rebootstrap;
use crate::settings::KafkaSettings;
use crate::{ffi, retry};

/// Offsets by partition of a topic.
pub type Offsets = BTreeMap<(String, i32), i64>;

/// Committed offsets with their metadata by partition of a topic.
pub type Commits = BTreeMap<(String, i32), Committed>;

/// The brokers and topics of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterMetadata {
    /// The number of brokers.
    pub brokers: usize,
    /// Topics with their number of partitions, without internal topics.
    pub topics: BTreeMap<String, i32>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its group protocol.
    pub kind: GroupKind,
    /// The number of members; `None` where librdkafka cannot query it.
    pub members: Option<usize>,
}

/// The protocol by which the members of a group share partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// Classic protocol: a member assigns partitions. Groups with offsets and no members are classic too.
    Classic,
    /// Consumer protocol (KIP-848): the coordinator assigns partitions.
    Consumer,
    /// A share group (KIP-932) or a streams group (KIP-1071); librdkafka 2.12 cannot tell which.
    Other,
}

type Client = Arc<BaseConsumer<LoggingContext>>;

/// A client for queries of a cluster. Clones share their connections; each call is bounded by its time-out.
#[derive(Clone)]
pub struct AdminClient {
    settings: KafkaSettings,
    client: Client,
    /// For a client that got no answer.
    rebootstrap: Arc<Rebootstrap>,
    /// One client a group: librdkafka fetches committed offsets of the client's own `group.id` only.
    by_group: Arc<Mutex<BTreeMap<String, Client>>>,
}

/// The prefix of the cluster id of librdkafka's mock cluster.
const IN_MEMORY_CLUSTER: &str = "mockCluster";

impl AdminClient {
    /// An admin client; it connects in the background.
    ///
    /// # Errors
    /// [`KafkaError`] where the settings are wrong.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let client = connect(settings, None)?;
        let rebootstrap = Arc::new(Rebootstrap::new(&settings.bootstrap_servers));
        Ok(Self { settings: settings.clone(), client, rebootstrap, by_group: Arc::default() })
    }

    /// Brokers and topics.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time.
    pub async fn overview(&self, timeout: Duration) -> Result<ClusterMetadata, KafkaError> {
        let metadata = self.query(move |client| client.fetch_metadata(None, timeout)).await?;
        let topics = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
        let count = |partitions: usize| i32::try_from(partitions).unwrap_or(i32::MAX);
        Ok(ClusterMetadata {
            brokers: metadata.brokers().len(),
            topics: topics.map(|topic| (topic.name().to_owned(), count(topic.partitions().len()))).collect(),
        })
    }

    /// Whether this is the in-memory broker, which cannot list groups or create topics.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time.
    pub async fn is_in_memory(&self, timeout: Duration) -> Result<bool, KafkaError> {
        Ok(is_in_memory_id(&self.fetch_id(timeout).await?))
    }

    /// The cluster id, for stores that keep offsets outside of Kafka; `None` for the in-memory broker, whose offsets
    /// do not survive it.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time.
    pub async fn lasting_id(&self, timeout: Duration) -> Result<Option<String>, KafkaError> {
        Ok(Some(self.fetch_id(timeout).await?).filter(|id| !is_in_memory_id(id)))
    }

    /// The topic id (KIP-516), for stores that keep offsets outside of Kafka: a topic created again has another one.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time, or none has the topic.
    pub async fn topic_id(&self, topic: &str, timeout: Duration) -> Result<String, KafkaError> {
        let topic = topic.to_owned();
        self.query(move |client| retry::until_final(timeout, |left| ffi::topic_id(client, &topic, left))).await
    }

    async fn fetch_id(&self, timeout: Duration) -> Result<String, KafkaError> {
        let id = self.query(move |client| Ok(client.client().fetch_cluster_id(timeout))).await?;
        id.ok_or_else(|| KafkaError::Unreachable {
            bootstrap: self.settings.bootstrap_servers.clone(),
            reason: "no cluster id in its answer".to_owned(),
        })
    }

    /// The offset after the last record of each partition.
    ///
    /// # Errors
    /// [`KafkaError`] where the brokers do not answer in time.
    pub async fn end_offsets(&self, topics: &BTreeMap<String, i32>, timeout: Duration) -> Result<Offsets, KafkaError> {
        self.offsets_at(topics, Offset::End, timeout).await
    }

    /// The log start offset of each partition.
    ///
    /// # Errors
    /// [`KafkaError`] where the brokers do not answer in time.
    pub async fn first_offsets(
        &self,
        topics: &BTreeMap<String, i32>,
        timeout: Duration,
    ) -> Result<Offsets, KafkaError> {
        self.offsets_at(topics, Offset::Beginning, timeout).await
    }

    /// The offset of the first record of each partition whose timestamp is this one (in milliseconds since the Unix epoch) or
    /// later, without partitions that have none.
    ///
    /// # Errors
    /// [`KafkaError`] where the brokers do not answer in time.
    pub async fn offsets_since(
        &self,
        topics: &BTreeMap<String, i32>,
        timestamp: i64,
        timeout: Duration,
    ) -> Result<Offsets, KafkaError> {
        self.offsets_at(topics, Offset::Offset(timestamp.max(0)), timeout).await
    }

    async fn offsets_at(
        &self,
        topics: &BTreeMap<String, i32>,
        at: Offset,
        timeout: Duration,
    ) -> Result<Offsets, KafkaError> {
        let list = partitions(topics);
        if list.count() == 0 {
            return Ok(Offsets::new());
        }
        // ListOffsets takes a timestamp, or the beginning or the end in its place.
        let query = move |client: &BaseConsumer<LoggingContext>| {
            let mut list = list;
            list.set_all_offsets(at)?;
            let answer = retry::until_final(timeout, |left| client.offsets_for_times(list.clone(), left));
            answer.map(|list| offsets(&list))
        };
        self.query(query).await
    }

    /// The committed offsets of a group, without partitions that have none.
    ///
    /// # Errors
    /// [`KafkaError`] where the group's coordinator does not answer in time.
    pub async fn committed(
        &self,
        group: &str,
        topics: &BTreeMap<String, i32>,
        timeout: Duration,
    ) -> Result<Offsets, KafkaError> {
        self.query_committed(group, topics, timeout, offsets).await
    }

    /// The committed offsets of a group with their metadata.
    ///
    /// # Errors
    /// [`KafkaError`] where the group's coordinator does not answer in time.
    pub async fn commits(
        &self,
        group: &str,
        topics: &BTreeMap<String, i32>,
        timeout: Duration,
    ) -> Result<Commits, KafkaError> {
        self.query_committed(group, topics, timeout, commits).await
    }

    async fn query_committed<T: Default + Send + 'static>(
        &self,
        group: &str,
        topics: &BTreeMap<String, i32>,
        timeout: Duration,
        read: fn(&TopicPartitionList) -> T,
    ) -> Result<T, KafkaError> {
        let client = self.group_client(group)?;
        let list = partitions(topics);
        if list.count() == 0 {
            return Ok(T::default());
        }
        let query = move |client: &BaseConsumer<LoggingContext>| {
            let answer = retry::until_final(timeout, |left| client.committed_offsets(list.clone(), left));
            answer.map(|list| read(&list))
        };
        self.query_with(client, query).await
    }

    /// All consumer groups. Empty for the in-memory broker, which is never asked: listing its groups would abort this
    /// process.
    ///
    /// # Errors
    /// [`KafkaError`] where the brokers do not answer in time.
    pub async fn groups(&self, timeout: Duration) -> Result<Vec<Group>, KafkaError> {
        if self.is_in_memory(timeout).await? {
            return Ok(Vec::new());
        }
        self.query(move |client| groups(client, timeout)).await
    }

    fn group_client(&self, group: &str) -> Result<Client, KafkaError> {
        let mut clients = self.by_group.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(group) {
            return Ok(Arc::clone(client));
        }
        let client = connect(&self.settings, Some(group))?;
        clients.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    async fn query<T, Q>(&self, query: Q) -> Result<T, KafkaError>
    where
        T: Send + 'static,
        Q: FnOnce(&BaseConsumer<LoggingContext>) -> KafkaResult<T> + Send + 'static,
    {
        self.query_with(Arc::clone(&self.client), query).await
    }

    /// Runs a query on a blocking thread: librdkafka blocks its caller.
    async fn query_with<T, Q>(&self, client: Client, query: Q) -> Result<T, KafkaError>
    where
        T: Send + 'static,
        Q: FnOnce(&BaseConsumer<LoggingContext>) -> KafkaResult<T> + Send + 'static,
    {
        let answer = blocking(Arc::clone(&client), query).await;
        answer.map_err(|error| {
            self.rebootstrap.run(client.client());
            KafkaError::unreachable(&self.settings.bootstrap_servers, error)
        })
    }
}

async fn blocking<T, Q>(client: Client, question: Q) -> KafkaResult<T>
where
    T: Send + 'static,
    Q: FnOnce(&BaseConsumer<LoggingContext>) -> KafkaResult<T> + Send + 'static,
{
    tokio::task::spawn_blocking(move || question(&client)).await.unwrap_or(Err(RdKafkaError::Canceled))
}

impl std::fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminClient")
            .field("bootstrap_servers", &self.settings.bootstrap_servers)
            .finish_non_exhaustive()
    }
}

/// Whether a cluster with this id is the in-memory broker.
pub(crate) fn is_in_memory_id(cluster_id: &str) -> bool {
    cluster_id.starts_with(IN_MEMORY_CLUSTER)
}

fn connect(settings: &KafkaSettings, group: Option<&str>) -> Result<Client, KafkaError> {
    let mut config = settings.client_config("status")?;
    if let Some(group) = group {
        config.set("group.id", group).set("enable.auto.commit", "false");
    }
    // Each query returns its own error.
    let context = LoggingContext::new(settings)?.quiet();
    config.create_with_context(context).map(Arc::new).map_err(KafkaError::call("creating a client"))
}

/// The state that `ListGroups` has for groups of other protocols: it describes classic groups only.
pub(crate) const NON_CLASSIC_STATE: &str = "Dead";

fn groups(client: &BaseConsumer<LoggingContext>, timeout: Duration) -> KafkaResult<Vec<Group>> {
    let list = || retry::until_final(timeout, |left| client.fetch_group_list(None, left));
    let listed = list()?;
    let listed = listed.groups().iter().filter(|group| matches!(group.protocol_type(), "consumer" | ""));
    let (others, classic): (Vec<_>, Vec<_>) = listed.partition(|group| group.state() == NON_CLASSIC_STATE);
    let classic = classic.into_iter().map(|group| Group {
        name: group.name().to_owned(),
        kind: GroupKind::Classic,
        members: Some(group.members().len()),
    });
    let mut groups: Vec<Group> = classic.collect();
    if others.is_empty() {
        return Ok(groups);
    }
    let names: Vec<String> = others.into_iter().map(|group| group.name().to_owned()).collect();
    let described = retry::until_final(timeout, |left| ffi::describe_groups(client, &names, left))?;
    // A group that was deleted since looks like one of another kind: list again to leave it out.
    let listed = list()?;
    let still_exists = |name: &str| listed.groups().iter().any(|group| group.name() == name);
    groups.extend(described.into_iter().filter(|group| still_exists(&group.name)).map(|group| {
        let kind = if group.is_of_consumer_protocol { GroupKind::Consumer } else { GroupKind::Other };
        let members = group.is_of_consumer_protocol.then_some(group.members);
        Group { name: group.name, kind, members }
    }));
    Ok(groups)
}

fn partitions(topics: &BTreeMap<String, i32>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, &count) in topics {
        if count > 0 {
            list.add_partition_range(topic, 0, count - 1);
        }
    }
    list
}

fn offsets(list: &TopicPartitionList) -> Offsets {
    commits(list).into_iter().map(|(partition, committed)| (partition, committed.offset)).collect()
}

fn commits(list: &TopicPartitionList) -> Commits {
    let elements = list.elements();
    let known = elements.iter().filter_map(|element| {
        let Offset::Offset(offset) = element.offset() else { return None };
        let committed = Committed { offset, metadata: element.metadata().to_owned() };
        Some(((element.topic().to_owned(), element.partition()), committed))
    });
    known.collect()
}
