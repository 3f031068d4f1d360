//! `millrace serve`: the edge alone, on an external broker.

mod missing_topics;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use millrace_edge::{Edge, KafkaSink, LazyDatabase, Limits};
use millrace_host::app::AppError;
use millrace_host::exit::SettingError;
use millrace_host::health::Status;
use millrace_host::listen::BoundSocket;
use millrace_host::settings::listen_address;
use millrace_kafka::Producer;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use tokio_util::sync::CancellationToken;

use self::missing_topics::TopicCheck;
use crate::access::AccessArgs;
use crate::admin::EdgeAdminArgs;
use crate::database::DatabaseArgs;
use crate::discovery::BrokerArgs;
use crate::http_server::tls::TlsArgs;
use crate::http_server::{self, HttpArgs};

/// Time-out of the first connection to the brokers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

const EXAMPLES: &str = "\
Examples:
  millrace serve --kafka broker-1:9092,broker-2:9092
  MILLRACE_LISTEN=:8080 KAFKA_BOOTSTRAP_SERVERS=broker:9092 millrace serve
  millrace serve --listen :8443 --tls-cert cert.pem --tls-key key.pem \\
    --api-keys keys.toml --rate-limit 100";

/// Serve the HTTP edge alone, on a broker
///
/// A 2xx means that every in-sync replica has the record. GET /openapi.json describes all routes. The topics must
/// exist: millrace topics apply creates them, and so do millrace consume and millrace dev.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen for HTTP: an address of this machine's, or :PORT for all of them
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    listen: SocketAddr,
    /// How long records wait to form a batch (linger.ms): longer costs latency and saves CPU
    #[arg(long, value_name = "TIME", default_value = "2.5ms", value_parser = linger)]
    linger: Duration,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    admin: EdgeAdminArgs,
}

/// Parses milliseconds with a fraction.
fn linger(text: &str) -> Result<Duration, String> {
    let millis: Option<f64> = text.strip_suffix("ms").and_then(|number| number.trim().parse().ok());
    match millis {
        Some(millis) if (0.0..=1_000.0).contains(&millis) => Ok(Duration::from_secs_f64(millis / 1e3)),
        _ => Err("must be milliseconds between 0ms and 1000ms, such as 2.5ms".to_owned()),
    }
}

pub(crate) async fn run(args: Args, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    if let Some(code) = args.admin.health_check(args.listen, args.tls.is_on()) {
        return Ok(code);
    }
    let tls = args.tls.load()?;
    let Some(access) = shutdown.run_until_cancelled(args.access.load()).await.transpose()? else {
        return Ok(ExitCode::SUCCESS);
    };
    let kafka = args.broker.settings()?;
    let socket = BoundSocket::at(args.listen, "listen")?;
    let health = args.admin.start(socket.address(), &shutdown)?;
    health.set("kafka", Status::Starting);
    let settings = ProducerSettings { linger: args.linger, ..ProducerSettings::default() };
    let producer = Producer::new(&kafka, &settings).map_err(AppError::from)?;
    let Some(reached) = shutdown.run_until_cancelled(producer.warm_up(CONNECT_TIMEOUT)).await else {
        return Ok(ExitCode::SUCCESS);
    };
    reached.with_context(|| format!("the broker cannot be reached at {}", kafka.bootstrap_servers))?;
    let fatal = producer.fatal().clone();
    let cluster = AdminClient::new(&kafka)?;
    let sink = Arc::new(TopicCheck::new(KafkaSink(producer), cluster.clone(), kafka.bootstrap_servers.clone()));
    sink.warn().await;
    let mut edge = Edge::new(sink, Arc::new(cluster), Limits::default());
    if let Some(url) = args.database.or_that_of_dev(&args.broker) {
        let database = LazyDatabase::at(url).map_err(|error| SettingError::of_flag("database", error.to_string()))?;
        edge = edge.with_lookup(Arc::new(database));
    }
    if let Some(access) = &access {
        edge = edge.with_access(Arc::clone(access));
    }
    health.set("kafka", Status::Ok);
    let routes = args.admin.beside(edge.router(), access);
    let listener = socket.listen()?;
    let (address, scheme) = (listener.local_addr()?, if tls.is_some() { "https" } else { "http" });
    let credentials = args.access.credentials();
    tracing::info!(listen = %address, scheme, credentials, kafka = kafka.bootstrap_servers, "serving");
    if credentials == "none" && !address.ip().is_loopback() {
        tracing::warn!(
            "whoever reaches this address may call everything: --api-keys or --jwt-jwks asks for credentials"
        );
    }
    tokio::select! {
        () = http_server::serve(listener, routes, args.http, tls, shutdown) => Ok(ExitCode::SUCCESS),
        () = fatal.cancelled() => anyhow::bail!("the Kafka producer failed with a fatal error"),
    }
}
