//! What a user can set of the notifier, wherever it runs.

use std::path::PathBuf;

use clap::Args;

/// The notifier's own settings.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Notifier")]
pub struct Settings {
    /// Destinations and routes, a TOML file [default: every notification on stdout]
    #[arg(long, value_name = "FILE")]
    pub notifier_config: Option<PathBuf>,

    /// Deliver also to addresses in private, loopback and link-local networks
    #[arg(long)]
    pub allow_private_destinations: bool,
}
