//! The function's settings: environment variables, as a function has no command line.

use clap::Parser;
use millrace_lambda::stage::StageSettings;

/// Cleans raw log objects, as a Lambda function. Configured by environment variables.
#[derive(Debug, Parser)]
#[command(
    name = "millrace-log-clean",
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-log-clean --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-log-clean --env-var MILLRACE_LAKE=s3://lake --env-var KAFKA_BOOTSTRAP_SERVERS=b-1.example.com:9092\n\n\
        Outside Lambda, `millrace lake clean` cleans files."
)]
pub struct Settings {
    /// Those of all stages.
    #[command(flatten)]
    pub stage: StageSettings,
}
