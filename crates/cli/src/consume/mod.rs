//! `millrace consume`: the named consumers in this process.

pub(crate) mod registry;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use futures_util::future::try_join_all;
use millrace_consumer::ConsumerOptions;
use millrace_host::app::{AppEnv, AppError, SettingsContext, Started};
use millrace_host::health::{Health, Status};
use millrace_host::shutdown::EXIT_TIMEOUT;
use millrace_host::worker::on_worker;
use millrace_kafka::Producer;
use millrace_kafka::producer::ProducerSettings;
use tokio_util::sync::CancellationToken;

use self::registry::{CONSUMERS, ConsumerSettings};
use crate::admin::ConsumerAdminArgs;
use crate::broker::{BROKER_TIMEOUT, Broker};
use crate::database::DatabaseArgs;
use crate::discovery::BrokerArgs;
use crate::topics;

const EXAMPLES: &str = "\
Examples:
  millrace consume notifier
  millrace consume notifier --notifier-config notifier.toml
  millrace consume notifier --kafka broker:9092 --max-in-flight 5000
  millrace consume event-store --database postgres://millrace@db/millrace

Topics that are missing are created as the catalogue says, with the broker's default replication. SIGINT or SIGTERM \
finishes what is in flight, commits, leaves the group and exits 0.";

/// Run consumers in this process
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The consumers to run
    #[arg(value_name = "NAME", required = true, value_parser = PossibleValuesParser::new(CONSUMERS.iter().map(|consumer| consumer.name)))]
    names: Vec<String>,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    options: ConsumerOptions,
    #[command(flatten)]
    settings: ConsumerSettings,
    #[command(flatten)]
    admin: ConsumerAdminArgs,
}

/// Consumes until `shutdown` and the drain after it.
pub(crate) async fn run(args: Args, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
    if let Some(code) = args.admin.health_check(&names) {
        return Ok(code);
    }
    let context = SettingsContext { data_dir: &args.broker.data_dir, is_local: false };
    let chosen = args.settings.build(|name| args.names.iter().any(|chosen| chosen == name), &context)?;
    let health = Health::default();
    for built in &chosen {
        health.set(built.consumer.name, Status::Starting);
    }
    health.set("kafka", Status::Starting);
    let admin = args.admin.start(&health)?;
    tracing::info!(version = millrace_host::version(), %admin, "started");
    let Some(broker) = shutdown.run_until_cancelled(prepare(&args)).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let broker = broker?;
    health.set("kafka", Status::Ok);
    let database = args.database.or_that_of_dev(&args.broker);
    args.settings.check_database(&chosen, database.is_some())?;
    let store = match database {
        Some(url) => match shutdown.run_until_cancelled(millrace_host::database::open(&url)).await {
            Some(store) => {
                let store = store?;
                health.set("database", Status::Ok);
                Some(store)
            }
            None => return Ok(ExitCode::SUCCESS),
        },
        None => None,
    };
    let producer = Producer::new(&broker.settings, &ProducerSettings::default());
    let env = AppEnv {
        kafka: broker.settings,
        admin: broker.cluster,
        dead_letters: producer.map_err(AppError::from)?,
        options: args.options,
        store,
        retention: args.settings.retention,
        shutdown: shutdown.clone(),
    };
    let mut running = Vec::new();
    for built in chosen {
        let name = built.consumer.name;
        running.push(run_one(name, built.start(env.clone()).await?, &health, &shutdown));
    }
    tokio::select! {
        outcome = try_join_all(running) => outcome.map(|_| ExitCode::SUCCESS),
        () = give_up(&shutdown, &health) => bail!("still draining {} s after the signal", EXIT_TIMEOUT.as_secs()),
    }
}

async fn prepare(args: &Args) -> anyhow::Result<Broker> {
    let broker = Broker::connect(&args.broker).await?;
    // The embedded broker has its topics from the start, and cannot be asked for more.
    if !broker.cluster.is_in_memory(BROKER_TIMEOUT).await? {
        let created = topics::create(&broker.settings).await?;
        if !created.is_empty() {
            tracing::info!(topics = created.join(", "), "topics created");
        }
    }
    Ok(broker)
}

/// Runs a consumer to its end. One that fails takes the others with it, in good order.
async fn run_one(
    name: &'static str,
    consumer: Started,
    health: &Health,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let Started { members, end } = consumer;
    let mut end = std::pin::pin!(on_worker(end));
    let outcome = tokio::select! {
        outcome = &mut end => outcome,
        () = Started::joined(&members) => {
            health.set(name, Status::Ok);
            tracing::info!(consumer = name, "consuming");
            end.await
        }
    };
    if let Err(error) = &outcome {
        health.set(name, Status::Failed(error.to_string()));
        shutdown.cancel();
    }
    outcome.with_context(|| format!("the consumer {name}"))
}

async fn give_up(shutdown: &CancellationToken, health: &Health) {
    shutdown.cancelled().await;
    health.drain();
    tokio::time::sleep(EXIT_TIMEOUT).await;
}
