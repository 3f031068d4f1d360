//! `millrace topics`: the catalogue's topics on a broker.

mod apply;
mod create;
mod report;

use std::process::ExitCode;

pub(crate) use self::create::create;

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
