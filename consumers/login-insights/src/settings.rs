//! The settings of login insights, for every host.

use std::time::Duration;

use clap::Args;
use millrace_objects::Location;

/// The consumer's settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Login insights")]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
pub struct Settings {
    /// Age at which a batch of fewer than 100 logins becomes an insight
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = millrace_host::settings::duration)]
    pub batch_age: Duration,

    /// The files' destination; the data directory by default.
    #[arg(
        long,
        value_name = "DIR|URL",
        value_parser = Location::parse,
        help = "Destination of the files insights/insights_<start>_<end>_<id>.json: a folder, or s3://BUCKET/PREFIX \
                [default: the data directory, .millrace]"
    )]
    pub insights_to: Option<Location>,
}
