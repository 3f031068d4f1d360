//! `millrace topics apply`: creates, grows and sets what differs from the catalogue, or says what would lose records.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use millrace_broker::topics::{TopicSpec, create_missing, grow};
use millrace_domain::catalogue::{Catalogue, catalogue};
use millrace_domain::topic_plan::{PlanOptions, TopicChange, TopicPlan, plan};
use millrace_host::app::AppError;
use millrace_host::exit::SettingError;
use millrace_host::settings::whole_number;
use rdkafka::client::DefaultClientContext;

use super::create::{CHANGE_TIMEOUT, change_error, spec};
use super::report::{self, Outcome};
use crate::broker::{BROKER_TIMEOUT, Broker};
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
        let wrong = |problem: String| SettingError::of_flag("catalogue", format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Catalogue::read(&text).map(Cow::Owned).map_err(|error| wrong(error.to_string()))
    }
}

/// Plans, and where nothing is refused carries the plan out.
pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let catalogue = args.read_catalogue()?;
    let broker = Broker::connect(&args.broker).await?;
    if broker.cluster.is_in_memory(BROKER_TIMEOUT).await? {
        let address = &broker.settings.bootstrap_servers;
        bail!(
            "{address} is the embedded broker of a millrace dev: it has the catalogue's topics and cannot change them"
        );
    }
    let names = catalogue.all().into_iter().map(|topic| topic.name).collect();
    let found = broker.cluster.topic_states(names, BROKER_TIMEOUT).await?;
    let options = PlanOptions { replication: args.replication, allows_shorter_retention: args.shorten_retention };
    let plans = plan(&catalogue, &found, options);
    let is_refused = plans.iter().any(|plan| !plan.refusals.is_empty());
    let outcome = match (is_refused, args.dry_run) {
        (true, _) => Outcome::Refused,
        (false, true) => Outcome::Planned,
        (false, false) => Outcome::Applied,
    };
    if outcome == Outcome::Applied {
        apply(&broker, &catalogue, &plans, args.replication).await?;
    }
    let report = if args.json { report::json(&plans, outcome)? } else { report::text(&plans, outcome) };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(report.as_bytes())?;
    stdout.flush()?;
    Ok(if is_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Carries a plan out: a second run finishes what an error interrupts.
async fn apply(
    broker: &Broker,
    catalogue: &Catalogue,
    plans: &[TopicPlan],
    replication: Option<i32>,
) -> anyhow::Result<()> {
    let with = |wanted: fn(&TopicChange) -> bool| -> Vec<TopicSpec> {
        let plans = plans.iter().filter(|plan| plan.changes.iter().any(wanted));
        plans.map(|plan| spec(plan.topic.clone(), catalogue, replication)).collect()
    };
    let (new, growing) = (
        with(|change| matches!(change, TopicChange::Create)),
        with(|change| matches!(change, TopicChange::Grow { .. })),
    );
    let config = broker.settings.client_config("topics").map_err(AppError::from)?;
    let failed = |error| change_error(error, &broker.settings.bootstrap_servers);
    if !new.is_empty() {
        create_missing(&config, DefaultClientContext, &new, CHANGE_TIMEOUT).await.map_err(failed)?;
    }
    if !growing.is_empty() {
        grow(&config, DefaultClientContext, &growing, CHANGE_TIMEOUT).await.map_err(failed)?;
    }
    for TopicPlan { topic, changes, .. } in plans {
        for change in changes {
            if let TopicChange::Set { setting, to, .. } = change {
                let set = broker.cluster.set_topic_setting(&topic.name, setting, to.clone(), BROKER_TIMEOUT).await;
                set.map_err(|error| anyhow::Error::from(error).context(format!("{}: {setting}", topic.name)))?;
            }
        }
    }
    Ok(())
}
