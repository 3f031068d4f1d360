//! The container's binary: command line and start-up.

use clap::Parser;
use millrace_host::consumer::Context;
use millrace_host::database;
use millrace_host::health::Status;
use millrace_host::kafka_consumer::{self, KafkaArgs, ProcessError};
use millrace_host::retention::Retention;
use millrace_store::RetainedTable;

use crate::notifier::Notifier;
use crate::settings::Settings;

const EXAMPLES: &str = "\
Examples:
  millrace-notifier --kafka localhost:9092
      every notification on stdout
  millrace-notifier --kafka localhost:9092 --notifier-config notifier.toml
      to the destinations in the file
  millrace-notifier --kafka localhost:9092 --database postgres://millrace@db/millrace
      recorded deliveries are not repeated
  millrace-notifier --kafka localhost:9092 --database postgres://millrace@db/millrace --retain 90d
      notifications and deliveries older than 90 days are deleted
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_NOTIFIER_CONFIG=/etc/notifier.toml millrace-notifier
      the same settings from the environment";

/// Deliver notifications from Kafka: console, webhooks, mail, Slack, Teams, SNS
#[derive(Debug, Parser)]
#[command(name = "millrace-notifier", version, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Database that records deliveries, so that none is repeated: a PostgreSQL or SQLite URL
    #[arg(long, value_name = "URL", hide_env_values = true)]
    database: Option<String>,
    #[command(flatten)]
    retention: Retention,
    #[command(flatten)]
    notifier: Settings,
}

/// Runs the notifier until shutdown.
///
/// # Errors
/// [`ProcessError`] where it cannot start, or the consumer fails.
pub async fn run(settings: CommandLine, context: Context) -> Result<(), ProcessError> {
    let notifier = Notifier::from_settings(&settings.notifier, &context.origins).map_err(ProcessError::start)?;
    if let Some(url) = &settings.database {
        database::check(url, &context.origins).map_err(ProcessError::Setting)?;
    }
    let retention = settings.retention;
    retention.check(settings.database.is_some(), &context.origins).map_err(ProcessError::Setting)?;
    let Some(kafka) = settings.kafka.connect(&context).await? else { return Ok(()) };
    let (notifier, _deletion) = match &settings.database {
        None => {
            crate::warn_of_repeats();
            (notifier, None)
        }
        Some(url) => {
            let opening = database::open(url, &context.origins);
            let Some(store) = context.shutdown.run_until_cancelled(opening).await else { return Ok(()) };
            context.health.set("database", Status::Ok);
            let store = store.map_err(ProcessError::start)?;
            let deletion = retention.start(&store, RetainedTable::Notifications);
            (notifier.recording_in(store), Some(deletion))
        }
    };
    let options = crate::consumer_options(kafka.options.clone());
    let notifier = notifier.within(&options);
    let consumer = kafka.consumer(crate::subscription(), options);
    let progress = consumer.progress();
    kafka_consumer::run(&context, &progress, consumer.run_keyed(&notifier, Some(&notifier), context.shutdown.clone()))
        .await
}
