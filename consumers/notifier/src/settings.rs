//! The notifier's settings, for every host.

use std::path::PathBuf;

use clap::Args;

/// The notifier's settings.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Notifier")]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
pub struct Settings {
    /// TOML file with destinations and routes [default: every notification on stdout]
    #[arg(long, value_name = "FILE")]
    pub notifier_config: Option<PathBuf>,

    /// Deliver also to addresses in private, loopback and link-local networks
    #[arg(long)]
    pub allow_private_destinations: bool,
}
