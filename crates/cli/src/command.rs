//! The subcommands and what each one runs.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use millrace_host::telemetry::logs::LogSettings;
use tokio_util::sync::CancellationToken;

use crate::{api_key, consume, cost, dev, lake, load, order, replay, serve, tail, topics, topology, trace};

const EXAMPLES: &str = "\
Examples:
  millrace dev                                 everything, no Kafka needed
  millrace load --rate 2000 --duration 60s     2,000 notifications a second
  seq 1 10 | millrace order                    ten orders, and see them paid
  millrace tail notifications --from -5        the last five, then what comes
  millrace replay notifications.dlq --dry-run  list what would be replayed
  millrace topology --format svg > flow.svg    what the broker holds, drawn
  millrace topics apply --dry-run              what the broker's topics lack
  millrace consume notifier                    deliver notifications from here
  millrace cost --rate 2000                    what that rate costs on AWS
  millrace lake clean app.log                  log lines to clean Parquet
  millrace trace 01a1fd9a-…                    where an event is, and was

Every flag --x-y may be given as the variable MILLRACE_X_Y instead (--kafka as KAFKA_BOOTSTRAP_SERVERS, --kafka-x-y as \
KAFKA_X_Y, --database as DATABASE_URL); millrace COMMAND --help names them. The broker \
is found by --kafka, else KAFKA_BOOTSTRAP_SERVERS, else the millrace dev that runs in this folder.";

/// An event backbone: HTTPS in, Kafka in the middle, deliveries out
#[derive(Debug, Parser)]
#[command(name = "millrace", version, after_help = EXAMPLES)]
pub(crate) struct Millrace {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logs: LogSettings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(Box<dev::Args>),
    Serve(Box<serve::Args>),
    Load(Box<load::Args>),
    Order(Box<order::Args>),
    Tail(Box<tail::Args>),
    Replay(Box<replay::Args>),
    Topology(Box<topology::Args>),
    Topics(Box<topics::Args>),
    Consume(Box<consume::Args>),
    Cost(Box<cost::Args>),
    Lake(Box<lake::Args>),
    Trace(Box<trace::Args>),
    ApiKey(Box<api_key::Args>),
}

/// What kind of program a command is; its default log level follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandKind {
    /// Does its work and exits.
    Tool,
    /// Serves or consumes until it is stopped; its logs are its only output.
    Service,
    /// A service that a person starts on a terminal: its banner replaces the log lines of the start.
    Interactive,
}

impl Command {
    /// The kind of the command.
    pub(crate) fn kind(&self) -> CommandKind {
        match self {
            Self::Dev(_) => CommandKind::Interactive,
            Self::Serve(_) | Self::Consume(_) => CommandKind::Service,
            Self::Load(_)
            | Self::Order(_)
            | Self::Tail(_)
            | Self::Replay(_)
            | Self::Topology(_)
            | Self::Topics(_)
            | Self::Cost(_)
            | Self::Lake(_)
            | Self::Trace(_)
            | Self::ApiKey(_) => CommandKind::Tool,
        }
    }

    /// Runs the command to its end, or until `shutdown` is cancelled and what is in flight is drained.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        match self {
            Self::Dev(args) => dev::run(*args, shutdown).await,
            Self::Serve(args) => serve::run(*args, shutdown).await,
            Self::Load(args) => load::run(*args, shutdown).await,
            Self::Order(args) => order::run(&args, &shutdown).await,
            Self::Tail(args) => until(&shutdown, tail::run(&args)).await,
            Self::Replay(args) => replay::run(&args, &shutdown).await,
            Self::Topology(args) => until(&shutdown, topology::run(&args)).await,
            Self::Topics(args) => until(&shutdown, topics::run(*args)).await,
            Self::Consume(args) => consume::run(*args, shutdown).await,
            Self::Cost(args) => cost::run(&args),
            Self::Lake(args) => lake::run(*args, &shutdown).await,
            Self::Trace(args) => until(&shutdown, trace::run(&args)).await,
            Self::ApiKey(args) => api_key::run(&args),
        }
    }
}

/// Runs a command that may be cancelled at any point.
async fn until<F>(shutdown: &CancellationToken, command: F) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    shutdown.run_until_cancelled(command).await.unwrap_or(Ok(ExitCode::SUCCESS))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn help(command: &mut clap::Command) -> String {
        command.clone().term_width(100).render_long_help().to_string()
    }

    #[test]
    fn help_has_one_form_and_fits_100_columns() {
        let mut millrace = Millrace::command();
        millrace.build();
        let commands = millrace.get_subcommands().filter(|command| command.get_name() != "help").cloned();
        for mut command in commands.chain([millrace.clone()]) {
            let help = help(&mut command);
            assert!(help.contains("\nExamples:\n  "), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        }
    }

    #[test]
    fn examples_fit_80_columns_and_explanations_wrap_by_themselves() {
        let mut millrace = Millrace::command();
        millrace.build();
        for command in millrace.get_subcommands().chain([&millrace]) {
            let Some(text) = command.get_after_help().map(ToString::to_string) else { continue };
            for paragraph in text.split("\n\n") {
                if paragraph.starts_with("Examples:\n") {
                    assert!(paragraph.lines().all(|line| line.chars().count() <= 80), "{paragraph}");
                } else {
                    assert_eq!(paragraph.lines().count(), 1, "{paragraph}");
                }
            }
        }
    }

    #[test]
    fn no_two_flags_of_a_command_contradict_each_other() {
        Millrace::command().debug_assert();
    }
}
