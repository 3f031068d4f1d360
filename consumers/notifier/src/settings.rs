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

    /// The text of such a file in its place: for a container that gets it as a secret
    #[arg(long, value_name = "TOML", conflicts_with = "notifier_config")]
    pub notifier_config_text: Option<String>,

    /// Deliver also to addresses in private, loopback and link-local networks
    #[arg(long)]
    pub allow_private_destinations: bool,
}
