//! What every process that consumes from Kafka does before and around its own work.

use std::error::Error;
use std::time::Duration;

use clap::Args;
use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Progress, Subscription};
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::settings::Security;
use millrace_kafka::{KafkaError, KafkaSettings, Producer};

use crate::consumer::Context;
use crate::exit::SettingError;
use crate::health::Status;

/// How long a broker may take to answer at the start.
pub const BROKER_TIMEOUT: Duration = Duration::from_secs(25);

/// The settings that every consumer has.
#[derive(Debug, Clone, Args)]
pub struct KafkaArgs {
    /// The Kafka brokers, separated by commas
    #[arg(long, value_name = "HOST:PORT,…")]
    kafka: String,
    #[command(flatten)]
    security: Security,
    #[command(flatten)]
    options: ConsumerOptions,
}

/// Why a consumer's process ends other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A setting is wrong.
    #[error("{0}")]
    Setting(#[source] SettingError),
    /// The consumer cannot start.
    #[error("{0}")]
    Start(#[source] Box<dyn Error + Send + Sync>),
    /// Kafka cannot be reached or used.
    #[error(transparent)]
    Kafka(KafkaError),
    /// The consumer ended by itself.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
}

impl ProcessError {
    /// For `map_err`: the consumer cannot start.
    pub fn start(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Start(Box::new(error))
    }
}

impl From<KafkaError> for ProcessError {
    fn from(failure: KafkaError) -> Self {
        match failure {
            KafkaError::Setting { name, value, reason } if value.is_empty() => {
                Self::Setting(SettingError::new(name, reason))
            }
            KafkaError::Setting { name, value, reason } => {
                Self::Setting(SettingError::new(name, format!("{value:?}: {reason}")))
            }
            other => Self::Kafka(other),
        }
    }
}

/// A Kafka that answered.
#[derive(Debug)]
pub struct Connected {
    /// How to reach it.
    pub kafka: KafkaSettings,
    /// Asks it questions.
    pub cluster: AdminClient,
    /// What the user set for the runtime.
    pub options: ConsumerOptions,
    letters: Producer,
}

impl KafkaArgs {
    /// Waits until a broker answers; `None` where the process is told to stop before.
    ///
    /// # Errors
    /// [`ProcessError::Setting`] names a wrong setting; [`ProcessError::Kafka`] where no broker answers in time.
    pub async fn connect(self, context: &Context) -> Result<Option<Connected>, ProcessError> {
        let kafka = KafkaSettings { security: self.security, ..KafkaSettings::plaintext(self.kafka) };
        let cluster = AdminClient::new(&kafka)?;
        let Some(overview) = context.shutdown.run_until_cancelled(cluster.overview(BROKER_TIMEOUT)).await else {
            return Ok(None);
        };
        let brokers = overview?.brokers;
        tracing::debug!(brokers, "Kafka answers");
        let letters = Producer::new(&kafka, &ProducerSettings::default())?;
        Ok(Some(Connected { kafka, cluster, options: self.options, letters }))
    }
}

impl Connected {
    /// A consumer, ready to run.
    pub fn consumer(&self, subscription: Subscription, options: ConsumerOptions) -> Consumer {
        Consumer::new(self.kafka.clone(), subscription, options, self.letters.clone())
    }
}

/// Runs a consumer to its end, and says that Kafka is well once it has its partitions.
///
/// # Errors
/// Where it had to end by itself.
pub async fn run(
    context: &Context,
    progress: &Progress,
    consumer: impl Future<Output = Result<(), ConsumerError>>,
) -> Result<(), ProcessError> {
    let joined = async {
        progress.joined().await;
        context.health.set("kafka", Status::Ok);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = consumer => Ok(result?),
        () = joined => Ok(()),
    }
}
