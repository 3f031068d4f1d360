//! The function's context, built once per execution environment.

use std::sync::Arc;
use std::time::Duration;

use millrace_host::exit::SettingError;
use millrace_kafka::Producer;
use millrace_kafka::producer::ProducerSettings;
use millrace_lambda::InitError;
use millrace_objects::{Location, Objects};
use millrace_stages::{CleanStage, EventBridge};

use crate::settings::Settings;

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

/// The stage, and the bucket whose objects it cleans.
pub struct Context {
    pub(crate) stage: CleanStage,
    pub(crate) bucket: String,
}

impl Context {
    /// Opens the lake and the bus, and builds the producer, which connects in the background.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or invalid, or the MSK cluster's bootstrap brokers cannot be read.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        let wrong = |problem: &str| SettingError::of_flag("lake", problem.to_owned());
        let bucket = match &settings.lake {
            Location::Bucket { name, prefix } if prefix.is_empty() => name.clone(),
            Location::Bucket { .. } => {
                return Err(wrong("must be a bucket without a prefix: events name keys in it").into());
            }
            Location::Folder(_) => return Err(wrong("must be a bucket: s3://BUCKET").into()),
        };
        let objects = Objects::open(&settings.lake).map_err(|error| wrong(&error.to_string()))?;
        let kafka = settings.kafka.brokers().await?;
        let producer = Producer::new(&kafka, &PRODUCER)?;
        let bus = EventBridge::connect(settings.bus).await;
        // After a time-out Lambda starts the process anew, with the files of the one before.
        CleanStage::remove_left_behind();
        Ok(Self { stage: CleanStage::new(Arc::new(objects), producer, Some(Arc::new(bus))), bucket })
    }
}
