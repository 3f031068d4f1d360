//! A broker that answered.

use std::time::Duration;

use anyhow::bail;
use millrace_host::exit::SettingError;
use millrace_host::settings::Origins;
use millrace_kafka::admin::{AdminClient, ClusterMetadata};
use millrace_kafka::error::ClientError;
use millrace_kafka::{KafkaError, KafkaSettings};
use rdkafka::error::KafkaError as RdKafkaError;

use crate::discovery::BrokerArgs;

/// How long one question to the broker may take. Two of them in a row stay under the 30 s after which a command that
/// cannot reach its broker has ended.
pub(crate) const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// A broker, and what it held when it was asked first.
pub(crate) struct Broker {
    /// How to reach it.
    pub(crate) settings: KafkaSettings,
    /// For further questions.
    pub(crate) cluster: AdminClient,
    /// Its topics.
    pub(crate) overview: ClusterMetadata,
}

impl Broker {
    /// Finds the broker and asks it for its topics.
    ///
    /// Fails with a [`SettingError`] where a setting is wrong, and with the broker's address where it does not answer.
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

/// A setting that librdkafka refuses is a setting of the user's: it is named as they wrote it.
pub(crate) fn in_the_users_words(failure: KafkaError, origins: &Origins) -> anyhow::Error {
    match failure {
        KafkaError::Setting { name, value, reason } => {
            let problem = if value.is_empty() { reason } else { format!("cannot be {value:?}: {reason}") };
            SettingError::new(setting_of(&name, origins), problem).into()
        }
        // Files are looked into only when a client is made; librdkafka's account begins with the property.
        KafkaError::Call { source: ClientError(RdKafkaError::ClientCreation(reason)), .. }
            if reason.starts_with("ssl.") =>
        {
            let property = reason.split(' ').next().unwrap_or_default();
            SettingError::new(setting_of(property, origins), reason.clone()).into()
        }
        other => other.into(),
    }
}

/// The setting behind one of librdkafka's properties.
fn setting_of(property: &str, origins: &Origins) -> String {
    match property {
        "bootstrap.servers" => origins.name("kafka"),
        variable if variable.starts_with("KAFKA_") => variable.to_owned(),
        property => origins.name(&format!("kafka-{}", property.replace('.', "-"))),
    }
}
