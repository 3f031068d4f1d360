//! The `millrace` command.

mod access;
mod admin;
mod api_key;
mod audit;
mod bound;
mod broker;
mod command;
mod consume;
mod cost;
mod database;
mod dev;
mod dev_file;
mod discovery;
mod http_server;
mod lake;
mod load;
mod order;
mod output;
mod prices;
mod progress_bar;
mod replay;
mod serve;
mod tail;
mod terminal_text;
mod text_table;
mod time_arg;
mod topics;
mod topology;
mod trace;
mod xml_text;

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use millrace_host::settings;
use millrace_host::telemetry::{logs, metrics, spans};
use millrace_host::{exit, shutdown};

use crate::command::{Command, CommandKind, Millrace};

/// How long blocking work, such as an admin request, may delay the exit after the command has returned.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = settings::parse::<Millrace>();
    let install = match args.command.kind() {
        CommandKind::Interactive => logs::install_for_start,
        CommandKind::Service => logs::install,
        CommandKind::Tool => logs::install_quiet,
    };
    install(&args.logs);
    match run(args.command) {
        Ok(code) => code,
        // `millrace tail events | head -1` is no failure.
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => exit::report(error.as_ref()),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    if command.kind() != CommandKind::Tool {
        metrics::install()?;
        spans::install("millrace")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Boxed: `block_on` is compiled for both kinds of runtimes, and would compile every command twice.
    let outcome = runtime.block_on(Box::pin(async {
        let shutdown = shutdown::on_signals()?;
        command.run(shutdown).await
    }) as Pin<Box<dyn Future<Output = _>>>);
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    spans::shutdown();
    outcome
}
