//! `millrace order`: places orders from a terminal or a pipe, and shows their payments and notifications.

mod client;
mod editor;
mod input;
mod line;
mod pending;
mod printer;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use millrace_domain::event::ORDER;
use millrace_domain::payment;
use millrace_host::app::AppError;
use millrace_host::settings::duration;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{Producer, Reader};
use tokio_util::sync::CancellationToken;

use self::client::OrderClient;
use self::editor::Terminal;
use self::printer::{Printer, print_usage};
use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::database::DatabaseArgs;
use crate::discovery::BrokerArgs;

const EXAMPLES: &str = "\
Examples:
  millrace order                              type an id, and see it paid
  seq 1 100 | millrace order                  a line each: paid or declined
  echo '{\"order_id\": 7, \"amount\": 12.50}' | millrace order --timeout 10s

From a pipe it exits 0 once every order is paid or declined, and 1 when a payment timed out or a line was refused; the \
other lines are still placed. The consumers payments and notifier must run: millrace dev runs them.";

/// Place orders, and see them paid
///
/// Each line is an order: its id, or an order as JSON. On a terminal lines can be edited and recalled, every step is
/// shown above them as it happens, and exit or Ctrl-D ends it. An order is accepted once every in-sync replica has it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How long to wait for payments after the last order
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Places orders until the input ends, and waits for their payments.
pub(crate) async fn run(args: &Args, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let broker = Broker::connect(&args.broker).await?;
    broker.partitions(ORDER.topic)?;
    let payments = BTreeMap::from([(payment::TOPIC.to_owned(), broker.partitions(payment::TOPIC)?)]);
    // Payments of new orders come after the current end offsets.
    let start = broker.cluster.end_offsets(&payments, BROKER_TIMEOUT).await?;
    let start = start.into_iter().map(|((_, partition), offset)| (partition, offset)).collect();
    let reader = Reader::new(&broker.settings, "order", payment::TOPIC, &start)?;
    let producer = Producer::new(&broker.settings, &ProducerSettings::default()).map_err(AppError::from)?;

    let is_live = editor::is_terminal();
    // Notifications are shown on a terminal only.
    let store = match args.database.or_that_of_dev(&args.broker).filter(|_| is_live) {
        Some(url) => Some(millrace_host::database::open(&url).await?),
        None => None,
    };
    let (printer, lines) = if is_live {
        print_usage(store.is_some())?;
        let (terminal, lines) = Terminal::open(shutdown)?;
        (Printer::Live(terminal), lines)
    } else {
        (Printer::Plain, input::lines())
    };
    let mut client = OrderClient::new(producer, &reader, store, &printer, args.timeout);
    let is_complete = tokio::select! {
        is_complete = client.run(lines, shutdown) => is_complete,
        () = args.broker.dev_gone(&broker.settings) => Err(anyhow!("the millrace dev of this broker has ended")),
    };
    drop(client);
    printer.close().await;
    Ok(if is_complete? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
