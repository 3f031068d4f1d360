//! A quiet Kafka client that asks a broker what it knows.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};

/// How long one question may take. A client that waits for a broker to come up asks often.
const QUESTION: Duration = Duration::from_millis(500);

/// Asks brokers that may not be there yet, so their refusals are no news for a log.
pub(crate) struct Probe {
    client: BaseConsumer<LastWords>,
}

impl Probe {
    /// A client of `bootstrap_servers` (`host:port,…`, plaintext).
    pub(crate) fn new(bootstrap_servers: &str) -> KafkaResult<Self> {
        let client = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "200")
            .create_with_context(LastWords::default())?;
        Ok(Self { client })
    }

    /// The ids of the brokers that the cluster has now.
    pub(crate) fn brokers(&self) -> KafkaResult<Vec<i32>> {
        let metadata = self.client.fetch_metadata(None, QUESTION)?;
        Ok(metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect())
    }

    /// What the client complained of last, which says more than a time-out does.
    pub(crate) fn last_words(&self) -> String {
        self.client.context().get()
    }
}

/// Keeps the last complaint instead of logging each.
#[derive(Default)]
struct LastWords(Mutex<String>);

impl LastWords {
    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for LastWords {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: RdKafkaError, reason: &str) {
        reason.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ConsumerContext for LastWords {}
