//! `millrace replay`: writes dead letters back to their source topic, each exactly once.

mod dead_letter_record;
mod filter;
mod progress;
mod rate_limit;
mod replayed;
mod replayer;
mod run;
mod scan;
mod stats;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::Context as _;
use millrace_domain::catalogue::{catalogue, dead_letter_topic};
use millrace_host::settings::whole_number;
use millrace_kafka::GroupOffsets;
use tokio_util::sync::CancellationToken;

use self::filter::Filter;
pub(crate) use self::replayer::GROUP;
use self::replayer::Replayer;
use self::run::Run;
use self::scan::{Partition, Scan};
use crate::audit;
use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::discovery::BrokerArgs;

const EXAMPLES: &str = "\
Examples:
  millrace replay orders.dlq --dry-run  what would be replayed, with the reasons
  millrace replay orders.dlq            all of it
  millrace replay orders.dlq --class transient --since 2h
  millrace replay orders.dlq --reason \"bank answered 503\" --rate 50
  millrace replay orders.dlq --id 0198c5f2-6d1c-7e3a-9b5e-2f6d1c7e3a9b

A dead letter that does not match the filters stays for a later run. One that is rejected again becomes a new dead \
letter. A second replay of the same topic fences the first.

Replayed offsets are committed for the group millrace-replay, in the transaction that writes the records: a run that \
was stopped or killed can be run again, and no dead letter is replayed twice. After a kill, read_committed consumers \
wait for the next run, or 15 s. If filters leave dead letters among more than about 24,000 replayed ones, the run ends \
with an error, because they no longer fit into the commit metadata.

A record without ce_id or ce_time gets as headers the id and time derived from its source position: a replay changes \
neither. It is written to its source partition if that still exists, else to its key's. A dead letter of a dead letter \
goes to the topic that the record came from first. Dead letters of other frameworks (Spring, Kafka Connect, ...) are \
reported, and stay.

Exit status: 0, or 1 when a dead letter could not be replayed (it stays).";

/// Replay dead letters to their source topic, each once
///
/// Key, value and the record's own headers are kept byte for byte; the dlq.* headers are removed. The run ends at the
/// end offsets of the dead-letter topic as of its start, or at Ctrl-C: records acknowledged by then are committed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The dead-letter topic
    #[arg(value_name = "TOPIC.dlq", value_parser = dead_letter_topic_name)]
    topic: String,
    /// List what would be replayed; write and commit nothing
    #[arg(long)]
    dry_run: bool,
    /// Maximum dead letters a second [default: unlimited]
    #[arg(long, value_name = "N", value_parser = whole_number::<NonZeroU32>(1..=1_000_000))]
    rate: Option<NonZeroU32>,
    // Before the filters: their help heading applies to all flags after them.
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    filter: Filter,
}

fn dead_letter_topic_name(text: &str) -> Result<String, String> {
    let suffix = &catalogue().dead_letters.suffix;
    if text.strip_suffix(suffix.as_str()).is_some_and(|source| !source.is_empty()) {
        return Ok(text.to_owned());
    }
    Err(format!("dead-letter topics end with {suffix}: is it {}?", dead_letter_topic(text)))
}

/// Replays until the end of the topic or until `shutdown`.
pub(crate) async fn run(args: &Args, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let Some(prepared) = shutdown.run_until_cancelled(prepare(args)).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut run = prepared?;
    let outcome = run.drive(shutdown).await;
    let (stats, holds_dead_letters) = (run.stats(), run.holds_dead_letters());
    drop(run);
    if !args.dry_run {
        let (topic, actor, replayed, failed) = (&args.topic, audit::actor(), stats.replayed, stats.failed);
        tracing::info!(target: "audit", topic, actor, replayed, failed, "dead letters replayed");
    }
    let summary = match stats.nothing_to_replay(&args.topic, holds_dead_letters) {
        Some(line) => line,
        None => stats.summary(args.dry_run).to_string(),
    };
    writeln!(std::io::stdout(), "{summary}")?;
    outcome?;
    Ok(if stats.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn prepare(args: &Args) -> anyhow::Result<Run> {
    let broker = Broker::connect(&args.broker).await?;
    let (topic, partitions) = (args.topic.as_str(), broker.partitions(&args.topic)?);
    let offsets = GroupOffsets::new(&broker.settings, GROUP, topic)?;
    let replayer = if args.dry_run {
        None
    } else {
        let in_memory = broker.cluster.is_in_memory(BROKER_TIMEOUT).await?;
        let replayer = Replayer::init_transactions(&broker.settings, topic, offsets.clone(), in_memory).await;
        Some(replayer.with_context(|| format!("initializing transactions on {}", broker.settings.bootstrap_servers))?)
    };
    // Fetched after initTransactions: it fenced any other replay, so they no longer change.
    let committed = offsets.fetch(partitions, BROKER_TIMEOUT).await?;
    let topics = BTreeMap::from([(topic.to_owned(), partitions)]);
    let first = broker.cluster.first_offsets(&topics, BROKER_TIMEOUT).await?;
    let end = broker.cluster.end_offsets(&topics, BROKER_TIMEOUT).await?;
    let mut state = BTreeMap::new();
    let mut holds_dead_letters = false;
    for ((_, number), end) in end {
        let first = first.get(&(topic.to_owned(), number)).copied().unwrap_or(0);
        holds_dead_letters |= first < end;
        let resumed = replayed::resume(committed.get(&number), first);
        let resumed = resumed.with_context(|| format!("reading the committed offsets of {GROUP}"))?;
        state.insert(number, Partition::new(resumed, end));
    }
    let scan = Scan::new(&broker.settings, topic, state)?;
    Ok(Run::new(args, scan, replayer, broker.overview.topics, holds_dead_letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_topic_is_rejected_with_its_dead_letter_topic() {
        assert_eq!(dead_letter_topic_name("orders.dlq"), Ok("orders.dlq".to_owned()));
        assert!(dead_letter_topic_name("orders").unwrap_err().contains("orders.dlq"));
        assert!(dead_letter_topic_name(".dlq").is_err());
    }
}
