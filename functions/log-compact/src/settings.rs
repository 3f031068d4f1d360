//! The function's settings: environment variables, as a function has no command line.

use std::time::Duration;

use clap::Parser;
use millrace_host::settings::duration;
use millrace_lambda::stage::LakeSettings;

/// Compacts the hours of the log lake, as a Lambda function. Configured by environment variables.
#[derive(Debug, Parser)]
#[command(
    name = "millrace-log-compact",
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-log-compact --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-log-compact --env-var MILLRACE_LAKE=s3://lake\n\n\
        Outside Lambda, `millrace dev` compacts the lake of its data directory."
)]
pub struct Settings {
    /// Those of the lake.
    #[command(flatten)]
    pub lake: LakeSettings,

    /// How long after the end of an hour, and after a file was written, it is compacted: until then rows of the hour still come
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub compact_delay: Duration,
}
