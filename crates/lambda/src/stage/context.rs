//! What a stage's function needs, built once per execution environment.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use millrace_host::exit::SettingError;
use millrace_host::telemetry::logs::LogSettings;
use millrace_kafka::Producer;
use millrace_kafka::producer::ProducerSettings;
use millrace_objects::{Location, Objects};
use millrace_stages::{Bus, EventBridge};

use crate::{InitError, KafkaArgs};

/// Producer settings for an execution environment that may be frozen for minutes between two objects.
const PRODUCER: ProducerSettings = ProducerSettings {
    linger: Duration::from_millis(5),
    // Well below the function's time-out: an object that fails says why.
    delivery_timeout: Duration::from_secs(30),
    queue_wait: Duration::from_secs(30),
    // After a thaw connections may be dead without a reset.
    socket_timeout: Some(Duration::from_secs(5)),
    idle_timeout: Some(Duration::from_secs(5)),
};

/// The settings of a function that works on the lake.
#[derive(Debug, Args)]
pub struct LakeSettings {
    /// The lake: `s3://BUCKET`
    #[arg(long, value_name = "URL", value_parser = Location::parse)]
    pub lake: Location,

    /// The event bus of stages
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub bus: String,

    /// The logs' settings.
    #[command(flatten)]
    pub logs: LogSettings,
}

/// The settings of a stage's function that writes records.
#[derive(Debug, Args)]
pub struct StageSettings {
    /// Those of the lake.
    #[command(flatten)]
    pub lake: LakeSettings,

    /// The brokers.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// The lake and the bus.
pub struct LakeContext {
    /// The lake's objects.
    pub objects: Arc<Objects>,
    /// Takes what the stage says.
    pub bus: Arc<dyn Bus>,
    /// The lake's bucket.
    pub bucket: String,
}

impl LakeContext {
    /// Opens the lake and the bus.
    ///
    /// # Errors
    /// [`InitError`] where the lake is no bucket.
    pub async fn open(settings: LakeSettings) -> Result<Self, InitError> {
        let wrong = |problem: &str| SettingError::of_flag("lake", problem.to_owned());
        let bucket = match &settings.lake {
            Location::Bucket { name, prefix } if prefix.is_empty() => name.clone(),
            Location::Bucket { .. } => {
                return Err(wrong("must be a bucket without a prefix: events name keys in it").into());
            }
            Location::Folder(_) => return Err(wrong("must be a bucket: s3://BUCKET").into()),
        };
        let objects = Objects::open(&settings.lake).map_err(|error| wrong(&error.to_string()))?;
        let bus = EventBridge::connect(settings.bus).await;
        Ok(Self { objects: Arc::new(objects), bus: Arc::new(bus), bucket })
    }
}

/// The lake, the brokers and the bus.
pub struct StageContext {
    /// The lake and the bus.
    pub lake: LakeContext,
    /// Writes records.
    pub producer: Producer,
}

impl StageContext {
    /// Opens the lake and the bus, and builds the producer, which connects in the background.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or invalid, or the MSK cluster's bootstrap brokers cannot be read.
    pub async fn open(settings: StageSettings) -> Result<Self, InitError> {
        let lake = LakeContext::open(settings.lake).await?;
        let kafka = settings.kafka.brokers().await?;
        Ok(Self { lake, producer: Producer::new(&kafka, &PRODUCER)? })
    }
}
