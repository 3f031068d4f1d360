//! The function's settings: environment variables, as a function has no command line.

use clap::{Parser, ValueEnum};
use millrace_host::telemetry::logs::LogSettings;
use millrace_lambda::KafkaArgs;

use crate::path::BasePath;

/// The HTTP edge as a Lambda function. Configured by environment variables, started by AWS Lambda.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-api --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-api --env-var KAFKA_BOOTSTRAP_SERVERS=b-1.example.com:9092\n\n\
        Outside Lambda, `millrace serve` is the same edge."
)]
pub struct Settings {
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,

    /// The database that events and notifications are looked up in
    #[cfg(feature = "database")]
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// The base path of a custom domain's mapping, such as /intake
    #[arg(long, value_name = "PATH")]
    pub(crate) base_path: Option<BasePath>,

    /// Metrics: emf (CloudWatch's Embedded Metric Format, on standard output) or off
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Metrics::Emf)]
    pub(crate) metrics: Metrics,

    /// The logs' settings.
    #[command(flatten)]
    pub logs: LogSettings,
}

/// Where metrics go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Metrics {
    /// To CloudWatch, with every answer.
    Emf,
    /// Nowhere: CloudWatch bills each metric.
    Off,
}
