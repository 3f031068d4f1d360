//! One invocation: a file, or the files of a batch of messages.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

    /// Registers the partition of a file, and says on the bus what became of it.
    async fn refresh(&self, file: &str, attempt: u32, deadline: Instant) -> Result<Refreshed, StageError> {
        let outcome = self.register(file, deadline).await;
        let became = |(partition, _): &(Partition, bool)| (partition.to_string(), 0);
        let (partition, was_registered) = tell(&*self.bus, STAGE, file, attempt, outcome, became).await?;
        let refreshed = Refreshed { partition: partition.to_string(), was_registered };
        tracing::info!(file, attempt, partition = refreshed.partition, was_registered, "registered");
        self.registered().insert(partition);
        Ok(refreshed)
    }

    /// The partition of a file, registered, and whether it was before.
    async fn register(&self, file: &str, deadline: Instant) -> Result<(Partition, bool), StageError> {
        let Some(partition) = Partition::of(file) else {
            let reason = format!("{file} is no file of a table: TABLE/dt=YYYY-MM-DD/hour=H/NAME");
            return Err(StageError::ObjectName(reason));
        };
        if self.registered().contains(&partition) {
            return Ok((partition, true));
        }
        let added = self.athena.run(&partition.statement(&self.bucket), deadline).await;
        added.map(|()| (partition, false)).map_err(StageError::AthenaUnavailable)
    }

    fn registered(&self) -> MutexGuard<'_, HashSet<Partition>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
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
