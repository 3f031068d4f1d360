//! `millrace topology`: topics, groups, members and lag of a broker, as text, JSON or a graph.

mod dot;
mod flow;
mod json;
mod layout;
mod mermaid;
mod snapshot;
mod svg;
mod table;

use std::io::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;

use self::flow::Flow;
use self::snapshot::Snapshot;
use crate::broker::Broker;
use crate::dev_file::DevFile;
use crate::discovery::BrokerArgs;

const EXAMPLES: &str = "\
Examples:
  millrace topology                          topics, partitions, groups and lag
  millrace topology --format svg > flow.svg  the flow as a picture
  millrace topology --format mermaid         the same, for Markdown
  millrace topology --format json | jq '.groups[] | select(.lag > 0)'

JSON: {\"topics\": [{\"name\", \"partitions\"}], \"groups\": [{\"name\", \"kind\", \"members\", \"lag\", \"reads\", \"writes\"}], \
\"edge\": {\"writes\"}}.

Lag is the end offset minus the committed offset. The kind of a group is classic or consumer \
(group.protocol), streams, or \"share or streams\" where it commits no offsets: its members and lag are then unknown \
(? in the table, null in JSON). What groups of other applications write is unknown. The embedded broker does not \
describe groups: there, members are those of its millrace dev, and only Millrace's own groups are shown.";

/// Show what the broker holds now: topics, partitions, groups, members, lag
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables
    Text,
    /// The flow, in Mermaid's language
    Mermaid,
    /// The flow, in Graphviz's language
    Dot,
    /// The flow, as a picture
    Svg,
    /// For other programs
    Json,
}

/// Takes a snapshot and prints it.
pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let broker = Broker::connect(&args.broker).await?;
    let dev = DevFile::read(&args.broker.data_dir);
    let is_dev = dev.is_ok_and(|dev| dev.kafka == broker.settings.bootstrap_servers);
    let snapshot = Snapshot::take(&broker, is_dev).await?;
    let text = match args.format {
        Format::Text => table::of(&snapshot),
        Format::Mermaid => mermaid::of(&Flow::of(&snapshot)),
        Format::Dot => dot::of(&Flow::of(&snapshot)),
        Format::Svg => svg::of(&Flow::of(&snapshot)),
        Format::Json => json::of(&snapshot)?,
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
