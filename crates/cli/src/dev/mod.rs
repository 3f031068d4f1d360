//! `millrace dev`: everything in one process.

mod backlog;
mod broker;
mod ready;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use millrace_edge::{Edge, KafkaSink, Limits, Sink};
use millrace_host::listen;
use millrace_host::settings::{Origins, listen_address};
use millrace_host::shutdown::Deadline;
use millrace_kafka::Producer;
use millrace_kafka::cluster::Cluster;
use millrace_kafka::consumer::ConsumerOptions;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::settings::Security;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::backlog::Backlog;
use self::broker::{Broker, Choice};
use self::ready::ReadyFile;
use crate::consumers::{self, Running};
use crate::http_server;

/// How long the consumers may take to join their groups.
const JOINED_WITHIN: Duration = Duration::from_secs(30);

/// How long a stop waits until everything accepted is processed, and for the consumers after that.
const PROCESSED_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(8);

/// Run everything in one process: edge, broker, consumers
///
/// With the embedded broker nothing else is needed, and nothing is kept: it lives in memory. `--kafka apache` starts a
/// real Apache Kafka from its jars (a JDK and Maven must be there) and keeps its data in the data directory.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  \
    millrace dev\n  \
    millrace dev --listen 127.0.0.1:9000 --kafka apache\n  \
    millrace dev --kafka localhost:9092 --notifier-config notifier.toml")]
pub(crate) struct Args {
    /// Where to listen for HTTP
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    listen: SocketAddr,
    /// The broker: `embedded`, `apache`, or where one is
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", value_name = "embedded|apache|HOST:PORT,…", default_value = "embedded")]
    kafka: Choice,
    /// Where files are kept
    #[arg(long, value_name = "DIR", default_value = ".millrace")]
    data_dir: PathBuf,
    #[command(flatten)]
    consumers: consumers::Settings,
    #[command(flatten)]
    security: Security,
}

pub(crate) async fn run(args: Args, origins: &Origins, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let listener = listen::bind(args.listen, &origins.name("listen")).await?;
    let address = listener.local_addr()?;
    std::fs::create_dir_all(&args.data_dir)
        .with_context(|| format!("{}: cannot make the folder {}", origins.name("data-dir"), args.data_dir.display()))?;
    let ready = ReadyFile::claim(&args.data_dir)?;
    let broker = Broker::start(&args.kafka, &args.data_dir, args.security.clone()).await?;
    let kafka = broker.settings();
    let producer = Producer::new(kafka, &ProducerSettings::default())?;
    let fatal = producer.fatal().clone();

    let stop_consumers = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let options = ConsumerOptions { commit_interval: broker.commit_interval(), ..ConsumerOptions::default() };
    let running = consumers::start_all(
        &args.consumers.allowing_private_destinations(),
        origins,
        kafka,
        &options,
        &producer,
        &stop_consumers,
        &mut tasks,
    )?;
    Deadline::after(JOINED_WITHIN)
        .limit(consumers::joined(&running))
        .await
        .with_context(|| format!("the consumers did not join their groups on {}", kafka.bootstrap_servers))?;

    let cluster = Cluster::new(kafka)?;
    let sink: Arc<dyn Sink> = match &broker {
        Broker::Embedded { .. } => Arc::new(Backlog::new(KafkaSink(producer), &running)),
        Broker::Apache { .. } | Broker::External { .. } => Arc::new(KafkaSink(producer)),
    };
    let edge = Edge::new(sink, Arc::new(cluster.clone()), Limits::default());
    let stop_serving = shutdown.child_token();
    let mut serving = tokio::spawn(http_server::serve(listener, edge.router(), stop_serving.clone()));
    ready.announce(address, &kafka.bootstrap_servers)?;
    greet(address, &broker);

    let outcome = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        () = fatal.cancelled() => Err(anyhow::anyhow!("the Kafka producer met an error that it cannot recover from")),
        ended = consumers::first_end(&mut tasks) => Err(ended),
        _ = &mut serving => Ok(()),
    };
    stop_serving.cancel();
    let _ = serving.await;
    if outcome.is_ok() && broker.is_embedded() {
        finish_everything(&cluster, &running).await;
    }
    stop_consumers.cancel();
    let stopped = Deadline::after(STOPPED_WITHIN).limit(async { while tasks.join_next().await.is_some() {} }).await;
    if stopped.is_err() {
        tracing::warn!("a consumer did not stop in time");
    }
    drop(ready);
    broker.stop().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Waits until the consumers are done with all that the broker holds: it goes away with this process.
async fn finish_everything(cluster: &Cluster, running: &[Running]) {
    let done = Deadline::after(PROCESSED_WITHIN).limit(consumers::caught_up(cluster, running)).await;
    if done.is_err() {
        tracing::error!("not everything was processed before the exit: the embedded broker keeps nothing");
    }
}

fn greet(address: SocketAddr, broker: &Broker) {
    let kafka = &broker.settings().bootstrap_servers;
    anstream::println!(
        "\nMillrace is up.\n\n  \
         API      http://{address}  (GET /openapi.json, GET /get_status)\n  \
         Kafka    {kafka}  ({})\n\n  \
         Try it in a second terminal:\n\n    \
         curl http://{address}/send-notification -H 'content-type: application/json' \\\n         \
         -d '{{\"user_id\": \"12345\", \"message\": \"Your parcel is on its way.\"}}'\n\n  \
         Ctrl-C stops it.\n",
        broker.describe()
    );
}
