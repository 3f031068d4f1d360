//! `millrace tail`: the records of a topic as they come.

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
use millrace_host::settings::{Origins, whole_number};
use millrace_kafka::admin::Offsets;
use millrace_kafka::{Read, Reader};

use self::from::From;
use self::printer::{Format, Printer};
use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::discovery::BrokerArgs;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  millrace tail notifications                       what comes, until Ctrl-C
  millrace tail notifications --from -10            the last ten, then new ones
  millrace tail events --from beginning --count 1   the oldest that is there
  millrace tail payments --json | jq .value.status  for other programs

JSON: topic, partition, offset, timestamp (ms), key (text or null), headers (a list of [name, value]), value (the JSON \
as it was written, else the text, else {\"base64\": …}; null for a tombstone). Keys and headers that are not UTF-8 have \
U+FFFD for what is not; headers with such names are left out.";

/// Show the records of a topic as they come
///
/// Reads outside of any consumer group: it takes nothing away from anybody. Records of transactions
/// that were not committed are not shown. From the beginning, partitions come side by side; the last
/// N are in the order of their timestamps.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The topic to read
    topic: String,
    /// Where to begin: beginning, end, or -N for the last N records of the topic
    #[arg(long, value_name = "beginning|end|-N", default_value = "end", allow_hyphen_values = true)]
    from: From,
    /// End after this many records
    #[arg(long, value_name = "N", value_parser = whole_number::<NonZeroU64>(1..=u64::MAX))]
    count: Option<NonZeroU64>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerArgs,
}

/// Prints records until there were enough of them, or until nobody reads what is printed.
pub(crate) async fn run(args: &Args, origins: &Origins) -> anyhow::Result<ExitCode> {
    let broker = Broker::connect(&args.broker, origins).await?;
    let topics = BTreeMap::from([(args.topic.clone(), broker.partitions(&args.topic)?)]);
    let format = if args.json { Format::Json } else { Format::Text };
    let mut printer = Printer::new(format, args.count);
    let start = match args.from {
        From::Beginning => broker.cluster.first_offsets(&topics, BROKER_TIMEOUT).await?,
        From::End => broker.cluster.end_offsets(&topics, BROKER_TIMEOUT).await?,
        From::Last(wanted) => {
            let first = by_partition(&broker.cluster.first_offsets(&topics, BROKER_TIMEOUT).await?);
            let end = broker.cluster.end_offsets(&topics, BROKER_TIMEOUT).await?;
            let range = recent::Range {
                settings: &broker.settings,
                topic: &args.topic,
                first: &first,
                end: &by_partition(&end),
            };
            for line in recent::lines(&range, wanted, &printer).await? {
                printer.print(&line)?;
                if printer.is_done() {
                    break;
                }
            }
            end
        }
    };
    if !printer.is_done() {
        let reader = Reader::new(&broker.settings, "tail", &args.topic, &by_partition(&start))?;
        tokio::select! {
            followed = follow(&reader, &mut printer) => followed?,
            () = args.broker.dev_gone(&broker.settings) => {
                printer.flush()?;
                bail!("the millrace dev whose topic this is has ended");
            }
        }
    }
    printer.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn follow(reader: &Reader, printer: &mut Printer) -> anyhow::Result<()> {
    while !printer.is_done() {
        let read = if let Some(read) = reader.next().now_or_never() {
            read
        } else {
            // Nothing more for now: what was printed is shown.
            printer.flush()?;
            tokio::select! {
                read = reader.next() => read,
                () = output::reader_gone() => return Ok(()),
            }
        };
        if let Read::Record(record) = read? {
            let line = printer.line(&record);
            printer.print(&line)?;
        }
    }
    Ok(())
}

fn by_partition(offsets: &Offsets) -> BTreeMap<i32, i64> {
    offsets.iter().map(|((_, partition), &offset)| (*partition, offset)).collect()
}
