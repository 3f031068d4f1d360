//! A Kafka client without logs that probes whether brokers are ready.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};

/// The time-out of one metadata request; probes repeat it.
const METADATA_TIMEOUT: Duration = Duration::from_millis(500);

/// Probes brokers that may not run yet, so errors are kept instead of logged.
pub(crate) struct Probe {
    client: BaseConsumer<LastError>,
}

impl Probe {
    /// A client of `bootstrap_servers` (`host:port,…`, plaintext).
    pub(crate) fn new(bootstrap_servers: &str) -> KafkaResult<Self> {
        let client = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "200")
            .create_with_context(LastError::default())?;
        Ok(Self { client })
    }

    /// The ids of the brokers in the cluster.
    pub(crate) fn brokers(&self) -> KafkaResult<Vec<i32>> {
        let metadata = self.client.fetch_metadata(None, METADATA_TIMEOUT)?;
        Ok(metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect())
    }

    /// The last error of the client, which says more than a time-out.
    pub(crate) fn last_error(&self) -> String {
        self.client.context().get()
    }
}

/// Keeps the last error instead of logging all.
#[derive(Default)]
struct LastError(Mutex<String>);

impl LastError {
    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for LastError {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: RdKafkaError, reason: &str) {
        reason.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ConsumerContext for LastError {}
