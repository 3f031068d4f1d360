//! `millrace topics`: the catalogue's topics on a broker.

mod apply;
mod report;

use std::process::ExitCode;

use millrace_host::app::AppError;
use millrace_kafka::KafkaSettings;
use millrace_topics::TopicsError;

const EXAMPLES: &str = "\
Examples:
  millrace topics apply --dry-run    what would change
  millrace topics apply              create, grow and set what differs";

/// Make a broker's topics those of the catalogue
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Apply(Box<apply::Args>),
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Apply(args) => apply::run(&args).await,
    }
}

/// Creates the catalogue's missing topics with the broker's default replication, and returns their names. Existing
/// topics are not changed.
pub(crate) async fn create(settings: &KafkaSettings) -> anyhow::Result<Vec<String>> {
    millrace_topics::create(settings).await.map_err(topics_error)
}

/// A wrong client setting stays a wrong setting.
fn topics_error(error: TopicsError) -> anyhow::Error {
    match error {
        TopicsError::Kafka(error) => AppError::from(error).into(),
        error => error.into(),
    }
}
