//! `millrace tail`: prints the records of a topic as they arrive.

mod cloud_event_line;
mod from;
mod json_line;
mod printer;
mod recent;
mod text_line;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::process::ExitCode;

use anyhow::bail;
use futures_util::FutureExt as _;
use millrace_host::settings::whole_number;
use millrace_kafka::admin::Offsets;
use millrace_kafka::{Read, Reader};

use self::from::From;
use self::printer::{Format, Printer};
use crate::bound::Bound;
use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::discovery::BrokerArgs;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  millrace tail notifications                       new records, until Ctrl-C
  millrace tail notifications --from -10            the last ten, then new ones
  millrace tail events --from beginning --count 1   the oldest available
  millrace tail events --until-end --json           all records, then exit
  millrace tail payments --json | jq .value.status  for other programs
  millrace tail orders --until-end --cloudevents    for POST /events again

JSON: topic, partition, offset, timestamp (ms), key (text or null), headers (a list of [name, value]), value (the JSON \
as it was written, else the text, else {\"base64\": …}; null for a tombstone). In keys and headers U+FFFD replaces bytes \
that are not UTF-8; headers with such names are left out.";

/// Show the records of a topic as they arrive
///
/// Reads without a consumer group, so it does not affect any consumer. Records of open or aborted transactions are not
/// shown (`read_committed`). From the beginning, partitions are interleaved; the last N are ordered by timestamp. With
/// --until-end it exits at the topic's end offsets as of its start.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The topic to read
    topic: String,
    /// Where to start: beginning, end, or -N for the last N records of the topic [default: end; with --until-end:
    /// beginning]
    #[arg(long, value_name = "beginning|end|-N", allow_hyphen_values = true)]
    from: Option<From>,
    /// Exit after the records that the topic holds now
    #[arg(long)]
    until_end: bool,
    /// Exit after this many records
    #[arg(long, value_name = "N", value_parser = whole_number::<NonZeroU64>(1..=u64::MAX))]
    count: Option<NonZeroU64>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print one CloudEvent a line, as POST /events takes them (application/x-ndjson); tombstones are left out
    #[arg(long, conflicts_with = "json")]
    cloudevents: bool,
    #[command(flatten)]
    broker: BrokerArgs,
}

/// Prints records until `--count` or `--until-end` is reached, or until the reader of stdout closes it.
pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let broker = Broker::connect(&args.broker).await?;
    let topics = BTreeMap::from([(args.topic.clone(), broker.partitions(&args.topic)?)]);
    let format = match (args.json, args.cloudevents) {
        (true, _) => Format::Json,
        (false, true) => Format::CloudEvents,
        (false, false) => Format::Text,
    };
    let mut printer = Printer::new(format, args.count);
    let first =
        async || broker.cluster.first_offsets(&topics, BROKER_TIMEOUT).await.map(|offsets| by_partition(&offsets));
    let end = async || broker.cluster.end_offsets(&topics, BROKER_TIMEOUT).await.map(|offsets| by_partition(&offsets));
    let from = args.from.unwrap_or(if args.until_end { From::Beginning } else { From::End });
    let start = match from {
        From::Beginning => first().await?,
        From::End => end().await?,
        From::Last(wanted) => {
            let (first, end) = (first().await?, end().await?);
            let range = recent::Range { settings: &broker.settings, topic: &args.topic, first: &first, end: &end };
            for line in recent::lines(&range, wanted, &printer).await? {
                printer.print(&line)?;
                if printer.is_done() {
                    break;
                }
            }
            end
        }
    };
    let mut bound = match (args.until_end, from) {
        (false, _) => None,
        (true, From::Beginning) => Some(Bound::between(&start, &end().await?)),
        // Existing records are printed already, or not wanted.
        (true, From::End | From::Last(_)) => Some(Bound::between(&start, &start)),
    };
    if !printer.is_done() && !is_reached(bound.as_ref()) {
        let reader = Reader::new(&broker.settings, "tail", &args.topic, &start)?;
        tokio::select! {
            followed = follow(&reader, bound.as_mut(), &mut printer) => followed?,
            () = args.broker.dev_gone(&broker.settings) => {
                printer.flush()?;
                bail!("the millrace dev of this broker has ended");
            }
        }
    }
    printer.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn is_reached(bound: Option<&Bound>) -> bool {
    bound.is_some_and(Bound::is_reached)
}

async fn follow(reader: &Reader, mut bound: Option<&mut Bound>, printer: &mut Printer) -> anyhow::Result<()> {
    while !printer.is_done() && !is_reached(bound.as_deref()) {
        let read = if let Some(read) = reader.next().now_or_never() {
            read
        } else {
            // No record is available now: flush what was printed.
            printer.flush()?;
            tokio::select! {
                read = reader.next() => read,
                () = output::reader_gone() => return Ok(()),
            }
        };
        match read? {
            Read::Record(record) => {
                if bound.as_deref_mut().is_none_or(|bound| bound.advance(record.partition(), record.offset())) {
                    let line = printer.line(&record);
                    printer.print(&line)?;
                }
            }
            Read::End(partition) => {
                if let Some(bound) = bound.as_deref_mut() {
                    bound.ended(partition);
                }
            }
        }
    }
    Ok(())
}

fn by_partition(offsets: &Offsets) -> BTreeMap<i32, i64> {
    offsets.iter().map(|((_, partition), &offset)| (*partition, offset)).collect()
}
