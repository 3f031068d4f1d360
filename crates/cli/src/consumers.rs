//! The consumers that this binary can run in its own process. A new one is its lines in [`Settings`] and [`start`].

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use millrace_domain::catalogue::{Consumer as CatalogueEntry, catalogue};
use millrace_host::settings::Origins;
use millrace_kafka::cluster::Cluster;
use millrace_kafka::consumer::{Consumer, ConsumerError, ConsumerOptions, Progress};
use millrace_kafka::{KafkaSettings, Producer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The settings of all consumers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    notifier: millrace_notifier::Settings,
}
