//! The notifier as a process of its own.

use std::time::Duration;

use clap::Parser;
use millrace_host::consumer::Context;
use millrace_host::exit::SettingError;
use millrace_host::health::Status;
use millrace_kafka::cluster::Cluster;
use millrace_kafka::consumer::{Consumer, ConsumerError, ConsumerOptions};
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::settings::Security;
use millrace_kafka::{KafkaFailure, KafkaSettings, Producer};
use thiserror::Error;

use crate::notifier::{Notifier, StartError};
use crate::settings::Settings;

/// How long a broker may take to answer at the start.
const BROKER_PATIENCE: Duration = Duration::from_secs(25);

const EXAMPLES: &str = "\
Examples:
  millrace-notifier --kafka localhost:9092
      every notification on stdout
  millrace-notifier --kafka localhost:9092 --notifier-config notifier.toml
      to the destinations in the file
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_NOTIFIER_CONFIG=/etc/notifier.toml millrace-notifier
      the same settings from the environment";

/// Deliver notifications from Kafka: console, webhooks, mail, Slack, Teams, SNS
#[derive(Debug, Parser)]
#[command(name = "millrace-notifier", version, after_help = EXAMPLES)]
pub struct CommandLine {
    /// The Kafka brokers, separated by commas
    #[arg(long, value_name = "HOST:PORT,…")]
    kafka: String,
    #[command(flatten)]
    security: Security,
    #[command(flatten)]
    consumer: ConsumerOptions,
    #[command(flatten)]
    notifier: Settings,
}

/// Why the process ends other than by being asked to.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// A setting of Kafka's is wrong.
    #[error("{0}")]
    Setting(#[source] SettingError),
    /// The notifier cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Kafka cannot be reached or used.
    #[error(transparent)]
    Kafka(KafkaFailure),
    /// The consumer ended by itself.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
}

impl From<KafkaFailure> for ProcessError {
    fn from(failure: KafkaFailure) -> Self {
        match failure {
            KafkaFailure::Setting { name, value, reason } if value.is_empty() => {
                Self::Setting(SettingError::new(name, reason))
            }
            KafkaFailure::Setting { name, value, reason } => {
                Self::Setting(SettingError::new(name, format!("{value:?}: {reason}")))
            }
            other => Self::Kafka(other),
        }
    }
}

/// Runs the notifier until it is told to stop.
///
/// # Errors
/// [`ProcessError`] where it had to end by itself.
pub async fn run(settings: CommandLine, context: Context) -> Result<(), ProcessError> {
    let notifier = Notifier::from_settings(&settings.notifier, &context.origins)?;
    let kafka = KafkaSettings { security: settings.security, ..KafkaSettings::plaintext(settings.kafka) };
    let overview = tokio::select! {
        overview = reach(&kafka) => overview?,
        () = context.shutdown.cancelled() => return Ok(()),
    };
    tracing::debug!(brokers = overview, "Kafka answers");

    let letters = Producer::new(&kafka, &ProducerSettings::default())?;
    let options = crate::consumer_options(settings.consumer);
    let consumer = Consumer::new(kafka, crate::subscription(), options, letters);
    let progress = consumer.progress();
    let joined = async {
        progress.joined().await;
        context.health.set("kafka", Status::Ok);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = consumer.run_keyed(&notifier, context.shutdown.clone()) => Ok(result?),
        () = joined => Ok(()),
    }
}

/// How many brokers there are, once one of them answers.
async fn reach(kafka: &KafkaSettings) -> Result<usize, KafkaFailure> {
    Ok(Cluster::new(kafka)?.overview(BROKER_PATIENCE).await?.brokers)
}
