//! `millrace replay`: dead letters back to the topic they came from, each once.

mod filter;
mod letter;
mod progress;
mod rate_limit;
mod replayed;
mod replayer;
mod run;
mod scan;
mod stats;
mod time_arg;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::Context as _;
use millrace_domain::catalogue::{catalogue, dead_letter_topic};
use millrace_host::settings::{Origins, whole_number};
use millrace_kafka::GroupOffsets;
use tokio_util::sync::CancellationToken;

use self::filter::Filter;
pub(crate) use self::replayer::GROUP;
use self::replayer::Replayer;
use self::run::Run;
use self::scan::{Partition, Scan};
use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::discovery::BrokerArgs;

const EXAMPLES: &str = "\
Examples:
  millrace replay orders.dlq --dry-run  what would go back, and why it is there
  millrace replay orders.dlq            all of it
  millrace replay orders.dlq --class transient --since 2h
  millrace replay orders.dlq --reason \"bank answered 503\" --rate 50
  millrace replay orders.dlq --id 0198c5f2-6d1c-7e3a-9b5e-2f6d1c7e3a9b

A letter that the filters pass over stays for a later run. A letter that is refused again comes back as a new letter. \
A second replay of the same topic takes over from the first.

What was replayed is recorded in the transaction that writes it, under the group millrace-replay: a run that was \
stopped or killed is simply run again, and no letter goes back twice. After a kill, consumers of the topic wait for \
that next run, or 15 s. Where filters leave letters among more than about 24,000 replayed ones, the run ends before \
it loses track, and says so.

A record without ce_id or ce_time gets, as headers, the id and the time that it was known by: a replay changes neither. \
It goes back to the partition that it came from while its topic has that, else to its key's. A letter of a letter goes to \
the topic that the record came from first. Letters of other writers (Spring, Kafka Connect, ...) are named, and stay.

Exit status: 0, or 1 when a letter could not be written back (it stays).";

/// Put dead letters back on the topic they came from, each once
///
/// Key, value and own headers go back as they were; the dlq.* headers of the refusal go. The run ends at what was the
/// end of the dead-letter topic when it began, or at Ctrl-C: what was acknowledged by then is recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The dead-letter topic
    #[arg(value_name = "TOPIC.dlq", value_parser = letters_topic)]
    topic: String,
    /// List what would be replayed; write and record nothing
    #[arg(long)]
    dry_run: bool,
    /// Letters a second at most [default: as fast as it goes]
    #[arg(long, value_name = "N", value_parser = whole_number::<NonZeroU32>(1..=1_000_000))]
    rate: Option<NonZeroU32>,
    // Before the filters, whose heading would hold for what follows.
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    filter: Filter,
}

fn letters_topic(text: &str) -> Result<String, String> {
    let suffix = &catalogue().dead_letters.suffix;
    if text.strip_suffix(suffix.as_str()).is_some_and(|source| !source.is_empty()) {
        return Ok(text.to_owned());
    }
    Err(format!("dead-letter topics end with {suffix}: is it {}?", dead_letter_topic(text)))
}

/// Replays until the end of the topic or until `shutdown`.
pub(crate) async fn run(args: &Args, origins: &Origins, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let Some(prepared) = shutdown.run_until_cancelled(prepare(args, origins)).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut run = prepared?;
    let outcome = run.finish(shutdown).await;
    let (tally, holds_letters) = (run.tally(), run.holds_letters());
    drop(run);
    let summary = match tally.nothing_to_replay(&args.topic, holds_letters) {
        Some(line) => line,
        None => tally.summary(args.dry_run).to_string(),
    };
    writeln!(std::io::stdout(), "{summary}")?;
    outcome?;
    Ok(if tally.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn prepare(args: &Args, origins: &Origins) -> anyhow::Result<Run> {
    let broker = Broker::connect(&args.broker, origins).await?;
    let (topic, partitions) = (args.topic.as_str(), broker.partitions(&args.topic)?);
    let offsets = GroupOffsets::new(&broker.settings, GROUP, topic)?;
    let copier = if args.dry_run {
        None
    } else {
        let in_memory = broker.cluster.is_in_memory(BROKER_TIMEOUT).await?;
        let copier = Replayer::init_transactions(&broker.settings, topic, offsets.clone(), in_memory).await;
        Some(copier.with_context(|| format!("preparing to write on {}", broker.settings.bootstrap_servers))?)
    };
    // Read after taking over: from now on nobody else moves them.
    let committed = offsets.fetch(partitions, BROKER_TIMEOUT).await?;
    let topics = BTreeMap::from([(topic.to_owned(), partitions)]);
    let first = broker.cluster.first_offsets(&topics, BROKER_TIMEOUT).await?;
    let end = broker.cluster.end_offsets(&topics, BROKER_TIMEOUT).await?;
    let mut state = BTreeMap::new();
    let mut holds_letters = false;
    for ((_, number), end) in end {
        let first = first.get(&(topic.to_owned(), number)).copied().unwrap_or(0);
        holds_letters |= first < end;
        let resumed = replayed::resume(committed.get(&number), first);
        let resumed = resumed.with_context(|| format!("the offsets of {GROUP}"))?;
        state.insert(number, Partition::new(resumed, end));
    }
    let scan = Scan::new(&broker.settings, topic, state)?;
    Ok(Run::new(args, scan, copier, broker.overview.topics, holds_letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_holds_no_dead_letters_is_answered_with_the_one_that_does() {
        assert_eq!(letters_topic("orders.dlq"), Ok("orders.dlq".to_owned()));
        assert!(letters_topic("orders").unwrap_err().contains("orders.dlq"));
        assert!(letters_topic(".dlq").is_err());
    }
}
