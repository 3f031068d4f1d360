//! What a stage says when it has ended.
//!
//! On Amazon `EventBridge` the source is `millrace.lake`, and the detail type `Stage Completed` or `Stage Failed`.

use futures_util::future::BoxFuture;
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
        /// The path of the manifest, which lists what the object became.
        manifest: String,
        /// How many rows it has.
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

impl StageEvent {
    /// The failure of a stage.
    pub(crate) fn failed(stage: &'static str, object: &str, attempt: u32, error: &StageError) -> Self {
        Self::Failed {
            stage,
            object: object.to_owned(),
            attempt,
            state: error.state(),
            class: error.class().as_str(),
            reason: error.to_string(),
        }
    }

    /// Its detail type on the bus.
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "Stage Completed",
            Self::Failed { .. } => "Stage Failed",
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
    fn publish<'b>(&'b self, event: &'b StageEvent) -> BoxFuture<'b, Result<(), BusError>>;
}

#[cfg(feature = "eventbridge")]
pub use eventbridge::EventBridge;

#[cfg(feature = "eventbridge")]
mod eventbridge {
    use aws_sdk_eventbridge::Client;
    use aws_sdk_eventbridge::error::DisplayErrorContext;
    use aws_sdk_eventbridge::types::PutEventsRequestEntry;
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::{Bus, BusError, StageEvent};

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

        async fn put(&self, event: &StageEvent) -> Result<(), BusError> {
            let detail = serde_json::to_string(event).map_err(|error| BusError(error.to_string()))?;
            let entry = PutEventsRequestEntry::builder().event_bus_name(&self.name).source(SOURCE);
            let entry = entry.detail_type(event.detail_type()).detail(detail).build();
            let put = self.client.put_events().entries(entry).send().await;
            let put = put.map_err(|error| BusError(DisplayErrorContext(&error).to_string()))?;
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
        fn publish<'b>(&'b self, event: &'b StageEvent) -> BoxFuture<'b, Result<(), BusError>> {
            self.put(event).boxed()
        }
    }
}
