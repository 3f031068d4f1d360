//! `millrace lake`: log files cleaned, and what they say.

mod backfill;
mod clean;
mod clean_report;
pub(crate) mod location;
mod report;

use std::process::ExitCode;

use indicatif::HumanCount;
use tokio_util::sync::CancellationToken;

const EXAMPLES: &str = "\
Examples:
  millrace lake clean app.log                     rows in lake/cleaned
  kubectl logs pay | millrace lake clean -        what comes by a pipe
  millrace lake report                            errors, latencies, outages
  millrace lake backfill raw/2026/01 --lake s3://BUCKET
                                                  what a month's objects cost";

/// Turn log files of any format into clean Parquet, and see what they say
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Clean(Box<clean::Args>),
    Report(report::Args),
    Backfill(backfill::Args),
}

/// A number of what this word names in the plural.
fn counted(count: u64, plural: &str) -> String {
    let word = if count == 1 { plural.strip_suffix('s').unwrap_or(plural) } else { plural };
    format!("{} {word}", HumanCount(count))
}

pub(crate) async fn run(args: Args, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Clean(args) => clean::run(*args, shutdown).await,
        Command::Report(args) => report::run(args).await,
        Command::Backfill(args) => backfill::run(args, shutdown).await,
    }
}
