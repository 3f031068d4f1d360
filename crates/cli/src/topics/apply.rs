//! `millrace topics apply`: creates, grows and sets what differs from the catalogue, or says what would lose records.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use millrace_domain::catalogue::{Catalogue, catalogue};
use millrace_domain::topic_plan::PlanOptions;
use millrace_host::exit::SettingError;
use millrace_host::setting_file;
use millrace_host::settings::whole_number;
use millrace_topics::{ApplyOptions, Outcome};

use super::{report, topics_error};
use crate::audit;
use crate::discovery::BrokerArgs;

const EXAMPLES: &str = "\
Examples:
  millrace topics apply --dry-run                what would change
  millrace topics apply                          change it
  millrace topics apply --replication 3          new topics on three brokers
  millrace topics apply --catalogue topics.json  with partitions of your own
  millrace topics apply --json | jq '.topics[] | select(.changes != [])'

JSON: {\"outcome\": \"applied\", \"planned\" (--dry-run) or \"refused\", \"topics\": [{\"topic\", \"changes\": \
[{\"change\": \"create\", \"partitions\"}, {\"change\": \"grow\", \"from\", \"to\"} or {\"change\": \"set\", \
\"setting\", \"from\", \"to\"}], \"refused\": [reason]}]}.

What would lose records is refused, with exit code 1, and then nothing is changed: fewer partitions, another \
replication, another cleanup.policy, a shorter retention. A max.message.bytes above the catalogue's is kept. Topics \
that the catalogue does not have are left alone.";

/// Create, grow and set the topics that differ from the catalogue
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The catalogue, as JSON [default: Millrace's own, crates/domain/topics.json]
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Copies of each partition of new topics; an existing topic with another number is refused [default: the broker's
    /// for new topics, any for existing ones]
    #[arg(long, value_name = "N", value_parser = whole_number::<i32>(1..=32_767))]
    replication: Option<i32>,
    /// Allow a shorter retention: the broker then deletes older records
    #[arg(long)]
    shorten_retention: bool,
    /// Write the plan as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerArgs,
}

impl Args {
    fn read_catalogue(&self) -> Result<Cow<'static, Catalogue>, SettingError> {
        let Some(path) = &self.catalogue else { return Ok(Cow::Borrowed(catalogue())) };
        setting_file::read("catalogue", path, Catalogue::read).map(Cow::Owned)
    }
}

/// Plans, and where nothing is refused carries the plan out.
pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let catalogue = args.read_catalogue()?;
    let options = ApplyOptions {
        is_dry_run: args.dry_run,
        plan: PlanOptions { replication: args.replication, allows_shorter_retention: args.shorten_retention },
    };
    let applied = millrace_topics::apply(&args.broker.settings()?, &catalogue, options).await;
    let report = applied.map_err(topics_error).inspect_err(|error| {
        if !args.dry_run {
            // Some topics may have been changed before.
            tracing::info!(target: "audit", actor = audit::actor(), outcome = "failed", %error, "topics apply");
        }
    })?;
    if report.outcome != Outcome::Planned {
        let (outcome, changed) = (report.outcome.as_str(), report.changed().join(", "));
        tracing::info!(target: "audit", actor = audit::actor(), outcome, changed, "topics apply");
    }
    let text = if args.json { format!("{:#}\n", report.to_json()) } else { report::text(&report) };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(if report.outcome == Outcome::Refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
