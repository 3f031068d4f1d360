//! What a broker holds: brokers, topics, offsets, groups. For status pages and tools, not for hot paths.

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
use crate::settings::KafkaSettings;
use crate::{ffi, retry};

/// Offsets by partition of a topic.
pub type Offsets = BTreeMap<(String, i32), i64>;

/// Committed offsets with their metadata by partition of a topic.
pub type Commits = BTreeMap<(String, i32), Committed>;

/// The brokers and topics of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterMetadata {
    /// How many brokers there are.
    pub brokers: usize,
    /// Topics with their number of partitions, internal ones left out.
    pub topics: BTreeMap<String, i32>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How its members share work.
    pub kind: GroupKind,
    /// How many members it has; `None` where this client cannot ask.
    pub members: Option<usize>,
}

/// How the members of a group share work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// By the classic protocol: one of them assigns partitions. Groups of offsets without members are classic, too.
    Classic,
    /// By the consumer protocol (KIP-848): the coordinator assigns partitions.
    Consumer,
    /// Otherwise: a share group (KIP-932) or a streams group (KIP-1071). librdkafka 2.12 cannot ask which.
    Other,
}

type Client = Arc<BaseConsumer<LoggingContext>>;

/// Asks a cluster questions. Clones share their connections; calls wait at most for the time given.
#[derive(Clone)]
pub struct AdminClient {
    settings: KafkaSettings,
    client: Client,
    /// One client a group: an offset is asked for in the group's own name.
    by_group: Arc<Mutex<BTreeMap<String, Client>>>,
}

/// librdkafka's in-memory cluster names itself so.
const IN_MEMORY_CLUSTER: &str = "mockCluster";

impl AdminClient {
    /// A client for questions; it connects in the background.
    ///
    /// # Errors
    /// [`KafkaError`] where the settings are wrong.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let client = connect(settings, None)?;
        Ok(Self { settings: settings.clone(), client, by_group: Arc::default() })
    }

    /// Brokers and topics.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time.
    pub async fn overview(&self, timeout: Duration) -> Result<ClusterMetadata, KafkaError> {
        let metadata = self.ask(move |client| client.fetch_metadata(None, timeout)).await?;
        let topics = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
        let count = |partitions: usize| i32::try_from(partitions).unwrap_or(i32::MAX);
        Ok(ClusterMetadata {
            brokers: metadata.brokers().len(),
            topics: topics.map(|topic| (topic.name().to_owned(), count(topic.partitions().len()))).collect(),
        })
    }

    /// Whether this is the in-memory broker, which knows no groups and no creation of topics.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time.
    pub async fn is_in_memory(&self, timeout: Duration) -> Result<bool, KafkaError> {
        Ok(self.fetch_id(timeout).await?.starts_with(IN_MEMORY_CLUSTER))
    }

    /// What tells this cluster from any other, for those who keep its offsets elsewhere; `None` for the in-memory
    /// broker, whose offsets mean nothing after its end.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time.
    pub async fn lasting_id(&self, timeout: Duration) -> Result<Option<String>, KafkaError> {
        Ok(Some(self.fetch_id(timeout).await?).filter(|id| !id.starts_with(IN_MEMORY_CLUSTER)))
    }

    /// What tells a topic from any other that has had or will have its name, for those who keep its offsets elsewhere.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where no broker answers in time, or none has the topic.
    pub async fn topic_id(&self, topic: &str, timeout: Duration) -> Result<String, KafkaError> {
        let topic = topic.to_owned();
        self.ask(move |client| retry::until_final(timeout, |left| ffi::topic_id(client, &topic, left))).await
    }

    async fn fetch_id(&self, timeout: Duration) -> Result<String, KafkaError> {
        let id = self.ask(move |client| Ok(client.client().fetch_cluster_id(timeout))).await?;
        id.ok_or_else(|| KafkaError::Unreachable {
            bootstrap: self.settings.bootstrap_servers.clone(),
            reason: "it did not say which cluster it is".to_owned(),
        })
    }

    /// The offset after the last record of each partition.
    ///
    /// # Errors
    /// [`KafkaError`] where the brokers do not answer in time.
    pub async fn end_offsets(&self, topics: &BTreeMap<String, i32>, timeout: Duration) -> Result<Offsets, KafkaError> {
        self.offsets_at(topics, Offset::End, timeout).await
    }

    /// The offset of the first record that is still there, of each partition.
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
        // In place of a time, Kafka's ListOffsets takes the beginning or the end.
        let ask = move |client: &BaseConsumer<LoggingContext>| {
            let mut list = list;
            list.set_all_offsets(at)?;
            let answer = retry::until_final(timeout, |left| client.offsets_for_times(list.clone(), left));
            answer.map(|list| offsets(&list))
        };
        self.ask(ask).await
    }

    /// The committed offsets of a group; partitions without one are left out.
    ///
    /// # Errors
    /// [`KafkaError`] where the group's coordinator does not answer in time.
    pub async fn committed(
        &self,
        group: &str,
        topics: &BTreeMap<String, i32>,
        timeout: Duration,
    ) -> Result<Offsets, KafkaError> {
        self.ask_committed(group, topics, timeout, offsets).await
    }

    /// The same, with the metadata of each.
    ///
    /// # Errors
    /// [`KafkaError`] where the group's coordinator does not answer in time.
    pub async fn commits(
        &self,
        group: &str,
        topics: &BTreeMap<String, i32>,
        timeout: Duration,
    ) -> Result<Commits, KafkaError> {
        self.ask_committed(group, topics, timeout, commits).await
    }

    async fn ask_committed<T: Default + Send + 'static>(
        &self,
        group: &str,
        topics: &BTreeMap<String, i32>,
        timeout: Duration,
        read: fn(&TopicPartitionList) -> T,
    ) -> Result<T, KafkaError> {
        let client = self.of_group(group)?;
        let list = partitions(topics);
        if list.count() == 0 {
            return Ok(T::default());
        }
        let ask = move |client: &BaseConsumer<LoggingContext>| {
            let answer = retry::until_final(timeout, |left| client.committed_offsets(list.clone(), left));
            answer.map(|list| read(&list))
        };
        self.ask_with(client, ask).await
    }

    /// All groups that read topics. The in-memory broker has no such list: asking it would end this process, so it is told
    /// apart first and answers with none.
    ///
    /// # Errors
    /// [`KafkaError`] where the brokers do not answer in time.
    pub async fn groups(&self, timeout: Duration) -> Result<Vec<Group>, KafkaError> {
        if self.is_in_memory(timeout).await? {
            return Ok(Vec::new());
        }
        self.ask(move |client| groups(client, timeout)).await
    }

    fn of_group(&self, group: &str) -> Result<Client, KafkaError> {
        let mut clients = self.by_group.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(group) {
            return Ok(Arc::clone(client));
        }
        let client = connect(&self.settings, Some(group))?;
        clients.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    async fn ask<T, Q>(&self, question: Q) -> Result<T, KafkaError>
    where
        T: Send + 'static,
        Q: FnOnce(&BaseConsumer<LoggingContext>) -> KafkaResult<T> + Send + 'static,
    {
        self.ask_with(Arc::clone(&self.client), question).await
    }

    /// librdkafka answers by blocking its caller.
    async fn ask_with<T, Q>(&self, client: Client, question: Q) -> Result<T, KafkaError>
    where
        T: Send + 'static,
        Q: FnOnce(&BaseConsumer<LoggingContext>) -> KafkaResult<T> + Send + 'static,
    {
        blocking(client, question)
            .await
            .map_err(|error| KafkaError::unreachable(&self.settings.bootstrap_servers, error))
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

fn connect(settings: &KafkaSettings, group: Option<&str>) -> Result<Client, KafkaError> {
    let mut config = settings.client_config("status")?;
    if let Some(group) = group {
        config.set("group.id", group).set("enable.auto.commit", "false");
    }
    // Every question has a time-out of its own, whose error says more.
    let context = LoggingContext::new(settings)?.quiet();
    config.create_with_context(context).map(Arc::new).map_err(KafkaError::call("creating a client"))
}

/// What the list of groups calls one that it knows only the name of: it tells of classic groups alone.
const STATE_OF_OTHERS: &str = "Dead";

fn groups(client: &BaseConsumer<LoggingContext>, timeout: Duration) -> KafkaResult<Vec<Group>> {
    let list = || retry::until_final(timeout, |left| client.fetch_group_list(None, left));
    let listed = list()?;
    let listed = listed.groups().iter().filter(|group| matches!(group.protocol_type(), "consumer" | ""));
    let (others, classic): (Vec<_>, Vec<_>) = listed.partition(|group| group.state() == STATE_OF_OTHERS);
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
    // A group that was deleted after it was listed looks like one of another kind, but is not listed again.
    let listed = list()?;
    let is_there = |name: &str| listed.groups().iter().any(|group| group.name() == name);
    groups.extend(described.into_iter().filter(|group| is_there(&group.name)).map(|group| {
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
