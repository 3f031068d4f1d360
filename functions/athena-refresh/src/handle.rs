//! One invocation: a file, or the files of a batch of messages.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_lambda::InitError;
use millrace_lambda::stage::{self, LakeContext};
use millrace_stages::{Bus, StageError, tell};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::athena::Athena;
use crate::partition::Partition;
use crate::settings::Settings;

/// The stage's name.
const STAGE: &str = "refresh";

/// What is left of an invocation's time for saying that a query has not ended.
const TIME_TO_TELL: Duration = Duration::from_secs(5);

/// The workgroup, the lake's bucket and the bus.
pub struct Context {
    athena: Athena,
    bucket: String,
    bus: Arc<dyn Bus>,
    /// Partitions that this environment has registered: an hour's other files need no query.
    registered: Mutex<HashSet<Partition>>,
}

/// What a file was to its table.
#[derive(Debug, Serialize)]
struct Refreshed {
    partition: String,
    /// Whether this environment has registered the partition before.
    was_registered: bool,
}

impl Context {
    /// Opens the lake, the bus and the workgroup.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or invalid.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        let LakeContext { bus, bucket, .. } = LakeContext::open(settings.lake).await?;
        let athena = Athena::connect(settings.athena_workgroup, settings.athena_database).await;
        Ok(Self { athena, bucket, bus, registered: Mutex::default() })
    }

    /// Registers the partition of a file, and says so on the bus.
    async fn refresh(&self, file: &str, attempt: u32, deadline: Instant) -> Result<Refreshed, StageError> {
        let partition = Partition::of(file).ok_or_else(|| {
            StageError::ObjectName(format!("{file} is no file of a table: TABLE/dt=YYYY-MM-DD/hour=H/NAME"))
        });
        if let Ok(partition) = &partition
            && self.registered.lock().unwrap_or_else(PoisonError::into_inner).contains(partition)
        {
            return Ok(Refreshed { partition: partition.to_string(), was_registered: true });
        }
        let outcome = match partition {
            Ok(partition) => {
                let added = self.athena.run(&partition.statement(&self.bucket), deadline).await;
                added.map(|()| partition).map_err(StageError::AthenaUnavailable)
            }
            Err(error) => Err(error),
        };
        let became = |partition: &Partition| (partition.to_string(), 0);
        let partition = tell(&*self.bus, STAGE, file, attempt, outcome, became).await?;
        let refreshed = Refreshed { partition: partition.to_string(), was_registered: false };
        tracing::info!(file, attempt, partition = refreshed.partition, "registered a partition");
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(partition);
        Ok(refreshed)
    }
}

/// Registers the partitions of an event's files.
///
/// # Errors
/// As [`stage::handle`].
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let deadline = Instant::now() + left.saturating_sub(TIME_TO_TELL);
    let refresh = async |file: &str, attempt| context.refresh(file, attempt, deadline).await;
    stage::handle(&context.bucket, event.payload, refresh).await
}
