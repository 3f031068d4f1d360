//! The brokers that a function uses.

use millrace_host::exit::SettingError;
use millrace_kafka::KafkaSettings;
use millrace_kafka::settings::Security;

use crate::init_error::InitError;

/// The brokers' settings of a function.
#[derive(Debug, clap::Args)]
pub struct KafkaArgs {
    /// Bootstrap brokers, separated by commas
    #[arg(long, value_name = "HOST:PORT,…")]
    kafka: Option<String>,

    /// An MSK cluster, in place of its bootstrap brokers; authenticates with IAM unless `KAFKA_SASL_MECHANISM` is set
    #[cfg(feature = "msk")]
    #[arg(long, value_name = "ARN", conflicts_with = "kafka")]
    kafka_cluster_arn: Option<String>,

    #[command(flatten)]
    security: Security,
}

impl KafkaArgs {
    /// The bootstrap brokers, for an MSK cluster through a call to AWS.
    ///
    /// # Errors
    /// [`InitError`] where no brokers are named, or the cluster's cannot be read.
    #[cfg_attr(not(feature = "msk"), allow(clippy::unused_async, reason = "only the call to AWS waits"))]
    pub async fn brokers(&self) -> Result<KafkaSettings, InitError> {
        #[cfg(feature = "msk")]
        if let Some(arn) = &self.kafka_cluster_arn {
            let mut security = self.security.clone();
            security.sasl_mechanism.get_or_insert(millrace_kafka::settings::SaslMechanism::AwsMskIam);
            let bootstrap_servers = millrace_kafka::msk::bootstrap_brokers(arn).await?;
            return Ok(KafkaSettings { bootstrap_servers, security, ..KafkaSettings::default() });
        }
        let missing = || SettingError::new("KAFKA_BOOTSTRAP_SERVERS", "is required");
        let bootstrap_servers = self.kafka.clone().ok_or_else(missing)?;
        Ok(KafkaSettings { bootstrap_servers, security: self.security.clone(), ..KafkaSettings::default() })
    }
}
