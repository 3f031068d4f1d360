//! The function's settings: environment variables, as a function has no command line.

use std::time::Duration;

use clap::Parser;
use millrace_host::settings::duration;
use millrace_lambda::stage::StageSettings;

/// Counts cleaned rows and watches the counts, as a Lambda function. Configured by environment variables.
#[derive(Debug, Parser)]
#[command(
    name = "millrace-log-metrics",
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-log-metrics --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-log-metrics --env-var MILLRACE_LAKE=s3://lake --env-var KAFKA_BOOTSTRAP_SERVERS=b-1.example.com:9092\n\n\
        Outside Lambda, `millrace lake report` says what is unusual."
)]
pub struct Settings {
    /// Those of all stages.
    #[command(flatten)]
    pub stage: StageSettings,

    /// How long after its end a minute is judged: by then its log records are in the lake
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub alert_delay: Duration,

    /// For how long nothing may be unusual until an outage is over; what comes back sooner is the same outage
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub alert_quiet: Duration,
}
