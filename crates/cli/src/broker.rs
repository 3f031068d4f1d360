//! The broker that a command talks to: its settings, an admin client and its topics.

use std::time::Duration;

use anyhow::bail;
use millrace_host::exit::SettingError;
use millrace_host::settings::Origins;
use millrace_kafka::admin::{AdminClient, ClusterMetadata};
use millrace_kafka::error::ClientError;
use millrace_kafka::{KafkaError, KafkaSettings};
use rdkafka::error::KafkaError as RdKafkaError;

use crate::discovery::BrokerArgs;

/// Time-out of one admin request. Two in a row stay under the 30 s within which a command without its broker exits.
pub(crate) const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// A reachable broker and its metadata at the time of the connection.
pub(crate) struct Broker {
    /// Client settings.
    pub(crate) settings: KafkaSettings,
    /// Admin client.
    pub(crate) cluster: AdminClient,
    /// Topics and brokers.
    pub(crate) overview: ClusterMetadata,
}

impl Broker {
    /// Discovers the broker and fetches its metadata.
    ///
    /// Fails with a [`SettingError`] for a wrong setting, and with the broker's address if it does not answer.
    pub(crate) async fn connect(args: &BrokerArgs, origins: &Origins) -> anyhow::Result<Self> {
        let settings = args.settings()?;
        let cluster = AdminClient::new(&settings).map_err(|failure| in_the_users_words(failure, origins))?;
        let overview = cluster.overview(BROKER_TIMEOUT).await?;
        Ok(Self { settings, cluster, overview })
    }

    /// The number of partitions of a topic that must exist.
    pub(crate) fn partitions(&self, topic: &str) -> anyhow::Result<i32> {
        match self.overview.topics.get(topic) {
            Some(&partitions) => Ok(partitions),
            None if self.overview.topics.is_empty() => {
                bail!("there is no topic {topic} on {}: it has no topics", self.settings.bootstrap_servers)
            }
            None => {
                let names: Vec<&str> = self.overview.topics.keys().map(String::as_str).collect();
                bail!("there is no topic {topic} on {}: it has {}", self.settings.bootstrap_servers, names.join(", "))
            }
        }
    }
}

/// Maps a setting that librdkafka rejects to a [`SettingError`] that names the flag or variable as the user wrote it.
pub(crate) fn in_the_users_words(failure: KafkaError, origins: &Origins) -> anyhow::Error {
    match failure {
        KafkaError::Setting { name, value, reason } => {
            let problem = if value.is_empty() { reason } else { format!("cannot be {value:?}: {reason}") };
            SettingError::new(setting_of(&name, origins), problem).into()
        }
        // librdkafka reads files only when a client is created; its reason begins with the property.
        KafkaError::Call { source: ClientError(RdKafkaError::ClientCreation(reason)), .. }
            if reason.starts_with("ssl.") =>
        {
            let property = reason.split(' ').next().unwrap_or_default();
            SettingError::new(setting_of(property, origins), reason.clone()).into()
        }
        other => other.into(),
    }
}

/// The flag or variable of a librdkafka property.
fn setting_of(property: &str, origins: &Origins) -> String {
    match property {
        "bootstrap.servers" => origins.name("kafka"),
        variable if variable.starts_with("KAFKA_") => variable.to_owned(),
        property => origins.name(&format!("kafka-{}", property.replace('.', "-"))),
    }
}
