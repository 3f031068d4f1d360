//! A Kafka with the topics that the event store reads, and databases.

use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_store::{Store, StoredEvent};
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, Isolation, Kafka, OwnedRecord};
use millrace_testkit::postgres::{Database, Postgres};
use tempfile::TempDir;

pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A dedicated Kafka: the topics have fixed names.
pub(crate) async fn kafka_with_topics(partitions: i32) -> Option<Kafka> {
    let kafka = kafka::dedicated(|cluster| cluster).await?;
    let topics = ["events", "payments"]
        .into_iter()
        .flat_map(|topic| [TopicSpec::new(topic, partitions), TopicSpec::new(format!("{topic}.dlq"), 1)]);
    kafka.create_topics(&topics.collect::<Vec<_>>()).await;
    Some(kafka)
}

/// A database of either kind.
pub(crate) enum AnyDatabase {
    Postgres(Box<Database>),
    Sqlite(TempDir),
}

impl AnyDatabase {
    pub(crate) async fn postgres() -> Option<Self> {
        Some(Self::Postgres(Box::new(Postgres::shared().await?.database().await)))
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url().to_owned(),
            Self::Sqlite(folder) => millrace_store::sqlite_url(&folder.path().join("events.db")),
        }
    }
}

/// The event of this id, once it is stored.
pub(crate) async fn stored(store: &Store, id: &str) -> StoredEvent {
    eventually(WAIT_TIMEOUT, &format!("{id} is stored"), async || store.event(id).await.unwrap()).await
}

/// The dead letters of a topic, once there are this many.
pub(crate) async fn dead_letters(kafka: &Kafka, topic: &str, count: usize) -> Vec<OwnedRecord> {
    let topic = format!("{topic}.dlq");
    eventually(WAIT_TIMEOUT, "the dead letters are written", async || {
        let dead_letters = kafka.read_all(&topic, Isolation::Committed).await;
        assert!(dead_letters.len() <= count, "more dead letters than expected: {dead_letters:?}");
        (dead_letters.len() == count).then_some(dead_letters)
    })
    .await
}
