//! The container's binary: command line and start-up.

use std::path::Path;

use clap::Parser;
use millrace_host::consumer::Context;
use millrace_host::kafka_consumer::{self, KafkaArgs, ProcessError};

use crate::runner::{LoginInsights, Runner};
use crate::settings::Settings;

/// The default folder for files.
const DATA_DIR: &str = ".millrace";

const EXAMPLES: &str = "\
Examples:
  millrace-login-insights --kafka localhost:9092
      files in .millrace/insights
  millrace-login-insights --kafka localhost:9092 --batch-age 1m --insights-to /var/lib/millrace
      in another folder; a batch that is not full closes after a minute
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_INSIGHTS_TO=s3://lake/logins millrace-login-insights
      in a bucket, from the environment (built with the cargo feature s3)";

/// Aggregate batches of logins from Kafka into insights, each login in exactly one, and write them as files
#[derive(Debug, Parser)]
#[command(name = "millrace-login-insights", version, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    insights: Settings,
}

/// Makes insights until shutdown.
///
/// # Errors
/// [`ProcessError`] where it cannot start, or a consumer fails.
pub async fn run(settings: CommandLine, context: Context) -> Result<(), ProcessError> {
    let consumer = LoginInsights::from_settings(&settings.insights, Path::new(DATA_DIR), &context.origins)
        .map_err(ProcessError::start)?;
    let Some(kafka) = settings.kafka.connect(&context).await? else { return Ok(()) };
    let runner = Runner::new(&kafka.options, |subscription, options| kafka.consumer(subscription, options));
    let progress = runner.progress();
    kafka_consumer::run(&context, &progress, consumer.run(runner, &kafka.kafka, context.shutdown.clone())).await
}
