//! What the function needs, built once a sandbox.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use millrace_edge::{Edge, KafkaSink, Limits};
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer};
use tokio_util::sync::CancellationToken;

use crate::init_error::InitError;
use crate::path::BasePath;
use crate::settings::Settings;
use crate::status::OnDemand;

/// A producer for a sandbox that answers one request and may then be frozen for minutes.
const PRODUCER: ProducerSettings = ProducerSettings {
    // There is no company to wait for.
    linger: Duration::ZERO,
    // Below the edge's own limit, so that a record that was never sent is known as unwritten by then.
    delivery_timeout: Duration::from_secs(10),
    queue_wait: Duration::from_secs(1),
    // A thaw may find connections that are dead and do not say so.
    socket_timeout: Some(Duration::from_millis(2_500)),
    idle_timeout: Some(Duration::from_secs(5)),
};

/// How long the first connection is tried for in the background.
const WARM_UP: Duration = Duration::from_secs(5);

/// The edge's routes and the producer behind them.
#[derive(Debug)]
pub struct Context {
    pub(crate) routes: Router,
    pub(crate) base_path: Option<BasePath>,
    fatal: CancellationToken,
}

impl Context {
    /// Builds the producer and lets it connect in the background: init does not wait for a broker.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or wrong, or an MSK cluster cannot be asked for its brokers.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        let kafka = settings.brokers().await?;
        let producer = Producer::new(&kafka, &PRODUCER)?;
        let fatal = producer.fatal().clone();
        warm_up(producer.clone(), &kafka);
        let edge = Edge::new(Arc::new(KafkaSink(producer)), Arc::new(OnDemand::new(kafka)), Limits::default());
        #[cfg(feature = "database")]
        let edge = match settings.database {
            Some(url) => edge.with_lookup(Arc::new(lookup(url)?)),
            None => edge,
        };
        Ok(Self { routes: edge.router(), base_path: settings.base_path, fatal })
    }

    /// Cancelled when the producer cannot recover: the sandbox is of no use any more.
    pub(crate) fn fatal(&self) -> &CancellationToken {
        &self.fatal
    }
}

/// The database is opened by the first invocation that asks for something in it: writing does not wait for it.
#[cfg(feature = "database")]
fn lookup(url: String) -> Result<millrace_edge::LazyDatabase, InitError> {
    let database = millrace_edge::LazyDatabase::at(url);
    Ok(database.map_err(|error| millrace_host::exit::SettingError::new("DATABASE_URL", error.to_string()))?)
}

fn warm_up(producer: Producer, kafka: &KafkaSettings) {
    let brokers = kafka.bootstrap_servers.clone();
    tokio::spawn(async move {
        if let Err(error) = producer.warm_up(WARM_UP).await {
            tracing::warn!(brokers, %error, "no broker answered yet");
        }
    });
}
