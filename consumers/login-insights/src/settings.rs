//! What a user can set of login insights, wherever they are made.

use std::time::Duration;

use clap::Args;

use crate::destination::{self, Destination};

/// The consumer's own settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Login insights")]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
pub struct Settings {
    /// Logins wait this long for a full batch of 100 before they become an insight
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = millrace_host::settings::duration)]
    pub batch_age: Duration,

    /// Where the files go; the data directory where it is not set.
    #[arg(
        long,
        value_name = "DIR|URL",
        value_parser = destination::parse,
        help = "Where insights go as files, insights/insights_<start>_<end>_<id>.json: a folder, or s3://BUCKET/PREFIX \
                [default: the data directory, .millrace]"
    )]
    pub insights_to: Option<Destination>,
}
