//! Login insights as a process of its own.

use std::path::Path;

use clap::Parser;
use millrace_host::consumer::Context;
use millrace_host::kafka_consumer::{self, KafkaArgs, ProcessError};

use crate::runner::{LoginInsights, Runner};
use crate::settings::Settings;

/// Where files are without a setting.
const DATA_DIR: &str = ".millrace";

const EXAMPLES: &str = "\
Examples:
  millrace-login-insights --kafka localhost:9092
      files in .millrace/insights
  millrace-login-insights --kafka localhost:9092 --batch-age 1m --insights-to /var/lib/millrace
      in another folder; small batches wait for a minute
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 MILLRACE_INSIGHTS_TO=s3://lake/logins millrace-login-insights
      in a bucket, from the environment (built with the cargo feature s3)";

/// Turn batches of logins from Kafka into insights, each login into one, and keep them as files
#[derive(Debug, Parser)]
#[command(name = "millrace-login-insights", version, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    insights: Settings,
}

/// Makes insights until it is told to stop.
///
/// # Errors
/// [`ProcessError`] where it had to end by itself.
pub async fn run(settings: CommandLine, context: Context) -> Result<(), ProcessError> {
    let consumer = LoginInsights::from_settings(&settings.insights, Path::new(DATA_DIR), &context.origins)
        .map_err(ProcessError::start)?;
    let Some(kafka) = settings.kafka.connect(&context).await? else { return Ok(()) };
    let members = Runner::new(&kafka.options, |subscription, options| kafka.consumer(subscription, options));
    let progress = members.progress();
    kafka_consumer::run(&context, &progress, consumer.run(members, &kafka.kafka, context.shutdown.clone())).await
}
