//! The function's context, built once per execution environment.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use millrace_edge::{Edge, KafkaSink, Limits};
use millrace_host::telemetry::emf;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer};
use millrace_lambda::InitError;
use tokio_util::sync::CancellationToken;

use crate::path::BasePath;
use crate::settings::{Metrics, Settings};
use crate::status::OnDemand;

/// Producer settings for an execution environment that may be frozen for minutes between two requests.
const PRODUCER: ProducerSettings = ProducerSettings {
    // An environment has few concurrent events to batch.
    linger: Duration::ZERO,
    // Below the edge's own time-out, so that a record that was never sent fails as not written before it.
    delivery_timeout: Duration::from_secs(10),
    queue_wait: Duration::from_secs(1),
    // After a thaw connections may be dead without a reset.
    socket_timeout: Some(Duration::from_millis(2_500)),
    idle_timeout: Some(Duration::from_secs(5)),
};

/// Time-out of the first connection, in the background.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// The edge's routes and the producer behind them.
#[derive(Debug)]
pub struct Context {
    pub(crate) routes: Router,
    pub(crate) base_path: Option<BasePath>,
    fatal: CancellationToken,
}

impl Context {
    /// Builds the producer and connects it in the background: init does not wait for a broker.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or invalid, or the MSK cluster's bootstrap brokers cannot be read.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        if settings.metrics == Metrics::Emf {
            emf::install()?;
        }
        let kafka = settings.kafka.brokers().await?;
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

    /// Cancelled on a fatal producer error: the execution environment must be replaced.
    pub(crate) fn fatal(&self) -> &CancellationToken {
        &self.fatal
    }
}

/// A database that connects on the first lookup: writes do not wait for it.
#[cfg(feature = "database")]
fn lookup(url: String) -> Result<millrace_edge::LazyDatabase, InitError> {
    let database = millrace_edge::LazyDatabase::at(url);
    Ok(database.map_err(|error| millrace_host::exit::SettingError::new("DATABASE_URL", error.to_string()))?)
}

fn warm_up(producer: Producer, kafka: &KafkaSettings) {
    let brokers = kafka.bootstrap_servers.clone();
    tokio::spawn(async move {
        if let Err(error) = producer.warm_up(WARM_UP_TIMEOUT).await {
            tracing::warn!(brokers, %error, "no broker reachable, still connecting");
        }
    });
}
