//! `millrace api-key`: a new key, and its entry for the file of `serve --api-keys`.

use std::io::Write as _;
use std::process::ExitCode;

use millrace_access::{ApiKeys, NewKey};
use millrace_host::exit::SettingError;

const EXAMPLES: &str = "\
Examples:
  millrace api-key shop --scopes orders.write,events.read >> keys.toml
  millrace api-key prometheus --scopes metrics.read >> keys.toml
  millrace serve --api-keys keys.toml

The key is written to standard error, once: only its hash is in the file. Scopes: TOPIC.write for notifications, events, orders, \
user-login and raw-logs (POST /events needs that of each event's topic); notifications.read, events.read, status.read, \
metrics.read; *.read, *.write, and * for everything. A sender changes its key by having two entries of one name for a while.";

/// Make an API key, and its entry for serve --api-keys
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The sender's name: its events have it as the extension authid
    name: String,
    /// What the key allows, separated by commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    scopes: Vec<String>,
}

/// Writes the entry to standard output and the key to standard error.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let scopes: Vec<&str> = args.scopes.iter().map(|scope| scope.trim()).collect();
    let key = NewKey::random(&args.name, &scopes);
    // The file's own check, so that what is appended to it is right.
    ApiKeys::parse(&key.entry).map_err(|error| SettingError::new("millrace api-key", error.to_string()))?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(key.entry.as_bytes())?;
    stdout.flush()?;
    writeln!(std::io::stderr(), "The key of {}, which is not shown again: {}", args.name, key.key)?;
    Ok(ExitCode::SUCCESS)
}
