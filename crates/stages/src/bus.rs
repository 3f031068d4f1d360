//! What stages say: that one has ended for an object, and what is unusual.
//!
//! On Amazon `EventBridge` the source is `millrace.lake`, and the detail type `Stage Completed`, `Stage Failed`, or that of an alert:
//! `millrace.alert.raised`, `millrace.alert.updated` or `millrace.alert.resolved`.

use futures_util::future::BoxFuture;
use millrace_domain::ErrorClass;
use millrace_lake::anomaly::AlertEvent;
use serde::Serialize;
use thiserror::Error;

use crate::error::StageError;

/// How a stage ended for an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StageEvent {
    /// What the object became is written.
    Completed {
        /// The stage.
        stage: &'static str,
        /// The object's path in the lake.
        object: String,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// The path of what lists what the object became: a manifest, or the hour's metrics.
        manifest: String,
        /// How many rows that has.
        rows: u64,
    },
    /// It is not, or not all of it.
    Failed {
        /// The stage.
        stage: &'static str,
        /// The object's path in the lake.
        object: String,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// What failed, by name.
        state: &'static str,
        /// `transient`: it is tried again; `permanent`: it is not.
        class: &'static str,
        /// What happened.
        reason: String,
    },
}

/// What stages say.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BusEvent {
    /// How one ended for an object.
    Stage(StageEvent),
    /// That an outage has begun, or is over.
    Alert(AlertEvent),
}

impl BusEvent {
    /// Its detail type on the bus.
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::Stage(StageEvent::Completed { .. }) => "Stage Completed",
            Self::Stage(StageEvent::Failed { .. }) => "Stage Failed",
            Self::Alert(alert) => alert.event_type(),
        }
    }
}

/// Why an event is not on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the bus did not take an event: {0}")]
pub struct BusError(pub String);

/// Takes stages' events.
pub trait Bus: Send + Sync {
    /// Takes an event.
    ///
    /// # Errors
    /// [`BusError`] where it is not on the bus.
    fn publish<'b>(&'b self, event: &'b BusEvent) -> BoxFuture<'b, Result<(), BusError>>;
}

/// Says on the bus how a stage ended for an object, and hands on the outcome. `became` is the path of what lists what the object
/// became, and how many rows that has.
///
/// # Errors
/// That of the stage. [`StageError::BusUnavailable`] where the bus did not take what there will be no other attempt to say: the next
/// stage, or whoever is alerted, would never know.
pub async fn tell<T>(
    bus: &dyn Bus,
    stage: &'static str,
    object: &str,
    attempt: u32,
    outcome: Result<T, StageError>,
    became: impl FnOnce(&T) -> (String, u64),
) -> Result<T, StageError> {
    match outcome {
        Ok(outcome) => {
            let (manifest, rows) = became(&outcome);
            publish(bus, StageEvent::Completed { stage, object: object.to_owned(), attempt, manifest, rows }).await?;
            Ok(outcome)
        }
        Err(error) => {
            let told = tell_failed(bus, stage, object, attempt, &error).await;
            if error.class() == ErrorClass::Permanent {
                told?;
            }
            Err(error)
        }
    }
}

/// Says on the bus, and in the log, that a stage failed for an object.
///
/// # Errors
/// [`StageError::BusUnavailable`].
pub(crate) async fn tell_failed(
    bus: &dyn Bus,
    stage: &'static str,
    object: &str,
    attempt: u32,
    error: &StageError,
) -> Result<(), StageError> {
    let class = error.class().as_str();
    tracing::warn!(stage, object, attempt, state = error.state(), class, %error, "a stage failed");
    let reason = error.to_string();
    let object = object.to_owned();
    publish(bus, StageEvent::Failed { stage, object, attempt, state: error.state(), class, reason }).await
}

async fn publish(bus: &dyn Bus, event: StageEvent) -> Result<(), StageError> {
    let published = bus.publish(&BusEvent::Stage(event)).await;
    published.map_err(|error| StageError::BusUnavailable(error.to_string()))
}

#[cfg(feature = "eventbridge")]
pub use eventbridge::EventBridge;

#[cfg(feature = "eventbridge")]
mod eventbridge {
    use aws_sdk_eventbridge::Client;
    use aws_sdk_eventbridge::types::PutEventsRequestEntry;
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::{Bus, BusError, BusEvent};

    /// The source of stages' events.
    const SOURCE: &str = "millrace.lake";

    /// A bus of Amazon `EventBridge`.
    #[derive(Debug)]
    pub struct EventBridge {
        client: Client,
        name: String,
    }

    impl EventBridge {
        /// The bus of this name. Credentials, region and endpoint come from the environment.
        pub async fn connect(name: String) -> Self {
            Self { client: Client::new(&millrace_aws::config().load().await), name }
        }

        async fn put(&self, event: &BusEvent) -> Result<(), BusError> {
            let detail = serde_json::to_string(event).map_err(|error| BusError(error.to_string()))?;
            let entry = PutEventsRequestEntry::builder().event_bus_name(&self.name).source(SOURCE);
            let entry = entry.detail_type(event.detail_type()).detail(detail).build();
            let put = self.client.put_events().entries(entry).send().await;
            let put = put.map_err(|error| BusError(millrace_aws::message(&error)))?;
            // The call succeeds although the bus did not take the event.
            if put.failed_entry_count() == 0 {
                return Ok(());
            }
            let failed = put.entries().iter().find(|entry| entry.error_code().is_some());
            let [code, message] =
                [failed.and_then(|entry| entry.error_code()), failed.and_then(|entry| entry.error_message())]
                    .map(Option::unwrap_or_default);
            Err(BusError(format!("{code}: {message}")))
        }
    }

    impl Bus for EventBridge {
        fn publish<'b>(&'b self, event: &'b BusEvent) -> BoxFuture<'b, Result<(), BusError>> {
            self.put(event).boxed()
        }
    }
}
