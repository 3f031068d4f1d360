//! A Kafka with the topics that the event store reads, and a database.

use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_store::{Store, StoredEvent};
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, Isolation, Kafka, OwnedRecord};
use millrace_testkit::postgres::{Database, Postgres};
use tempfile::TempDir;

pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A Kafka of its own: the topics have their fixed names.
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
    eventually(BOUND, &format!("{id} is stored"), async || store.event(id).await.unwrap()).await
}

/// The dead letters of a topic, once there are so many.
pub(crate) async fn letters(kafka: &Kafka, topic: &str, count: usize) -> Vec<OwnedRecord> {
    let topic = format!("{topic}.dlq");
    eventually(BOUND, "the dead letters are there", async || {
        let letters = kafka.read_all(&topic, Isolation::Committed).await;
        assert!(letters.len() <= count, "more letters than refused records: {letters:?}");
        (letters.len() == count).then_some(letters)
    })
    .await
}
