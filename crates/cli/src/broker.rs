//! The broker that a command talks to: its settings, an admin client and its topics.

use std::time::Duration;

use anyhow::bail;
use millrace_host::app::AppError;
use millrace_kafka::KafkaSettings;
use millrace_kafka::admin::{AdminClient, ClusterMetadata};

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
    /// Fails with a `SettingError` for a wrong setting, and with the broker's address if it does not answer.
    pub(crate) async fn connect(args: &BrokerArgs) -> anyhow::Result<Self> {
        let settings = args.settings()?;
        let cluster = AdminClient::new(&settings).map_err(AppError::from)?;
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
