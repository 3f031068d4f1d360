//! `millrace dev`: everything in one process.

mod alerts;
mod bounded_sink;
mod broker;
mod consumers;
mod data_dir_lock;
mod lake;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use millrace_consumer::ConsumerOptions;
use millrace_edge::{Edge, KafkaSink, Limits, Sink};
use millrace_host::app::{AppEnv, AppError, SettingsContext};
use millrace_host::health::Status;
use millrace_host::listen::BoundSocket;
use millrace_host::settings::listen_address;
use millrace_host::shutdown::Deadline;
use millrace_host::telemetry::logs;
use millrace_kafka::Producer;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::settings::Security;
use millrace_store::Store;
use tokio_util::sync::CancellationToken;

use self::bounded_sink::BoundedSink;
use self::broker::{Broker, Choice, choice};
use self::consumers::Consumers;
use self::data_dir_lock::{DataDirLock, ReadyFile};
use self::lake::LiveLake;
use crate::admin::EdgeAdminArgs;
use crate::consume::registry::ConsumerSettings;
use crate::database;
use crate::discovery::DATA_DIR;
use crate::http_server::{self, HttpArgs};

/// How long the consumers may take to join their groups.
const JOIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Time-out of a whole stop: two seconds below the promised 30 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(28);

/// Part of it that is kept for the consumers to commit and leave their groups, once everything is processed.
const LEAVE_BUDGET: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  millrace dev                                the embedded broker, port 8080
  millrace dev --listen :9000 --kafka apache  a real Kafka, all addresses
  millrace dev --kafka localhost:9092 --notifier-config notifier.toml

While it serves, DIR/dev.json holds its addresses: tail, order, replay, topology, serve and consume use its \
broker, and load its edge.";

/// Run everything in one process: edge, broker, consumers
///
/// The embedded broker needs no installation and keeps records in memory only. --kafka apache starts a
/// real Apache Kafka from its jars (needs a JDK and Maven) and keeps its data in the data directory.
/// Notifications may go to this machine and to private networks, as with --allow-private-destinations.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen for HTTP: an address of this machine's, or :PORT for all of them
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    listen: SocketAddr,
    /// The broker: embedded (in memory), apache (a real one, started here), or the addresses of one [default: embedded]
    #[arg(long, value_name = "embedded|apache|HOST:PORT,…", value_parser = choice)]
    kafka: Option<Choice>,
    /// The database [default: a SQLite file in the data directory]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Directory of dev.json, Apache Kafka's data and the default database
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    security: Security,
    #[command(flatten)]
    options: ConsumerOptions,
    #[command(flatten)]
    consumers: ConsumerSettings,
    #[command(flatten)]
    admin: EdgeAdminArgs,
}

pub(crate) async fn run(args: Args, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    if let Some(code) = args.admin.health_check(args.listen, false) {
        return Ok(code);
    }
    // Transparent huge pages would double the resident memory of this process, which matters on a laptop.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "transparent huge pages cannot be disabled");
    }
    let choice = Choice::or_embedded(args.kafka, &args.security)?;
    // Wrong settings are reported before anything is started.
    let lock = DataDirLock::acquire(&args.data_dir).await?;
    let context = SettingsContext { data_dir: &args.data_dir, is_local: true };
    let built = args.consumers.build(|_| true, &context)?;
    let socket = BoundSocket::at(args.listen, "listen")?;
    let address = socket.address();
    let health = args.admin.start(address, &shutdown)?;
    health.set("kafka", Status::Starting);
    health.set("database", Status::Starting);
    let database = args.database.map_or_else(|| database::in_data_dir(&args.data_dir), Ok)?;
    let Some(store) = shutdown.run_until_cancelled(millrace_host::database::open(&database)).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let store = store?;
    health.set("database", Status::Ok);
    let Some(broker) = shutdown.run_until_cancelled(Broker::start(&choice, &args.data_dir, args.security)).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let broker = broker?;
    let kafka = broker.settings();
    let producer = Producer::new(kafka, &broker.producer_settings()).map_err(AppError::from)?;
    let fatal = producer.fatal().clone();

    let cluster = AdminClient::new(kafka)?;
    let stop_consuming = CancellationToken::new();
    let env = AppEnv {
        kafka: kafka.clone(),
        admin: cluster.clone(),
        dead_letters: producer.clone(),
        options: broker.consumer_options(args.options),
        store: Some(store.clone()),
        retention: args.consumers.retention,
        shutdown: stop_consuming.clone(),
    };
    let mut consumers = Consumers::start(built, &env, &health).await?;
    drop(env);
    let joined = shutdown.run_until_cancelled(Deadline::after(JOIN_TIMEOUT).limit(consumers.joined(&health))).await;
    joined
        .unwrap_or(Ok(()))
        .with_context(|| format!("the consumers did not join their groups on {}", kafka.bootstrap_servers))?;

    let lake_folder = millrace_log_shipper::lake_folder(&args.data_dir);
    let lake = LiveLake::start(&lake_folder, producer.clone())?;
    let sink: Arc<dyn Sink> = if broker.is_embedded() {
        Arc::new(BoundedSink::new(KafkaSink(producer), &consumers.running))
    } else {
        Arc::new(KafkaSink(producer))
    };
    let edge = Edge::new(sink, Arc::new(cluster.clone()), Limits::default()).with_lookup(Arc::new(store.clone()));
    let stop_serving = CancellationToken::new();
    let routes = args.admin.beside(edge.router(), None);
    let listener = socket.listen()?;
    health.set("kafka", Status::Ok);
    let mut serving = tokio::spawn(http_server::serve(listener, routes, args.http, None, stop_serving.clone()));
    let ready = ReadyFile::announce(&lock, address, &kafka.bootstrap_servers, store.display_url())?;
    if !shutdown.is_cancelled() {
        print_banner(address, &broker, &store, &lake_folder);
    }
    logs::started();

    let outcome = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        () = fatal.cancelled() => Err(anyhow::anyhow!("the Kafka producer failed with a fatal error")),
        error = broker.ended() => Err(error),
        error = consumers.first_end() => Err(error),
        ended = &mut serving => Err(anyhow::anyhow!("the HTTP server ended unexpectedly: {ended:?}")),
    };
    let end = Deadline::after(STOP_TIMEOUT);
    stop_serving.cancel();
    if !serving.is_finished() {
        let _ = serving.await;
    }
    if broker.is_embedded() {
        // Without one of the consumers, the rest is never processed.
        let time = if outcome.is_ok() { end.remaining().saturating_sub(LEAVE_BUDGET) } else { Duration::ZERO };
        drain_broker(&cluster, &consumers, Deadline::after(time)).await;
    }
    if !lake.finish(Deadline::after(end.remaining().saturating_sub(LEAVE_BUDGET))).await {
        tracing::warn!("raw logs are left: the next start cleans them");
    }
    stop_consuming.cancel();
    let stopped = end.limit(consumers.ended()).await;
    drop(ready);
    // A client that outlives its broker logs errors.
    drop(cluster);
    broker.stop().await;
    store.close().await;
    outcome?;
    stopped.context("stopping the consumers")??;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the consumers have processed everything on the embedded broker, which ends with this process.
async fn drain_broker(cluster: &AdminClient, consumers: &Consumers, deadline: Deadline) {
    match deadline.limit(consumers.caught_up(cluster)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "cannot tell whether all records were processed before exit"),
        Err(_) => {
            let left = consumers.unprocessed(cluster).await.map_or_else(|_| "some".to_owned(), |left| left.to_string());
            tracing::error!(
                "drain timed out: {left} accepted records were not processed; they and the dead letters are lost with the \
                 embedded broker"
            );
        }
    }
}

fn print_banner(address: SocketAddr, broker: &Broker, store: &Store, lake: &Path) {
    let kafka = &broker.settings().bootstrap_servers;
    // A closed stdout is no error here.
    let _ = writeln!(
        anstream::stdout(),
        "\nMillrace is up.\n\n  \
         API      http://{address}  (GET /openapi.json, GET /get_status)\n  \
         Kafka    {kafka}  ({})\n  \
         Database {}\n  \
         Lake     {}  (docs/lake.md)\n\n  \
         Try it in a second terminal:\n\n    \
         curl http://{address}/send-notification -H 'content-type: application/json' \\\n         \
         -d '{{\"user_id\": \"12345\", \"message\": \"Your parcel is on its way.\"}}'\n\n  \
         Ctrl-C stops it.\n",
        broker.describe(),
        store.display_url(),
        lake.display()
    );
}
