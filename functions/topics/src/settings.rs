//! The function's settings: environment variables, as a function has no command line.

use clap::Parser;
use millrace_host::telemetry::logs::LogSettings;
use millrace_lambda::KafkaArgs;

/// Makes Kafka's topics those of the catalogue, as a Lambda function. Configured by environment variables.
#[derive(Debug, Parser)]
#[command(
    name = "millrace-topics",
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-topics-function --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-topics --env-var KAFKA_BOOTSTRAP_SERVERS=b-1.example.com:9092\n  \
        cargo lambda invoke --remote millrace-topics --data-ascii '{\"dry_run\": true}'\n\n\
        Outside Lambda, `millrace topics apply` does the same."
)]
pub struct Settings {
    /// The brokers.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// The logs' settings.
    #[command(flatten)]
    pub logs: LogSettings,
}
