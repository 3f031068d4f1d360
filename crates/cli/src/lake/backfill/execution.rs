//! A run of the state machine of `infra/modules/backfill`.

use std::error::Error;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::Region;
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::ExecutionStatus;
use millrace_host::exit::SettingError;
use serde_json::{Value, json};

/// How far apart a run is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// How many looks may fail one after the other: a run takes hours, and the network of a laptop does not.
const LOOK_FAILURES: u32 = 60;

/// A state machine.
pub(super) struct StateMachine {
    client: Client,
    arn: String,
}

/// How a run ended, or how far it is.
pub(super) struct RunStatus {
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub(super) status: String,
    /// Objects that are cleaned.
    pub(super) cleaned: u64,
    /// Objects that could not be.
    pub(super) failed: u64,
    /// Why it did not succeed.
    pub(super) reason: Option<String>,
}

impl RunStatus {
    /// Whether each object is cleaned.
    pub(super) fn is_success(&self) -> bool {
        self.status == ExecutionStatus::Succeeded.as_str() && self.failed == 0
    }
}

impl StateMachine {
    /// The state machine of an ARN, in its region; one that cleans objects of another lake is refused.
    pub(super) async fn open(arn: &str, lake: &str) -> anyhow::Result<Self> {
        let region = arn.split(':').nth(3).unwrap_or_default().to_owned();
        let config = millrace_aws::config().region(Region::new(region)).load().await;
        let machine = Self { client: Client::new(&config), arn: arn.to_owned() };
        let described = machine.client.describe_state_machine().state_machine_arn(arn).send().await;
        let described = described.map_err(|error| failed(&error)).with_context(|| format!("--state-machine {arn}"))?;
        let definition: Value = serde_json::from_str(&described.definition).unwrap_or_default();
        let bucket = &definition["States"]["Objects"]["ItemReader"]["Parameters"]["Bucket"];
        match bucket.as_str().map(|bucket| format!("s3://{bucket}")) {
            Some(own) if own == lake => Ok(machine),
            Some(own) => {
                Err(SettingError::of_flag("lake", format!("the state machine cleans objects of {own}")).into())
            }
            None => Err(SettingError::of_flag("state-machine", "is none of infra/modules/backfill").into()),
        }
    }

    /// Starts a run for the objects below a prefix; its ARN.
    pub(super) async fn start(&self, prefix: &str) -> anyhow::Result<String> {
        let input = json!({"prefix": prefix}).to_string();
        let started = self.client.start_execution().state_machine_arn(&self.arn).input(input).send().await;
        let started =
            started.map_err(|error| failed(&error)).with_context(|| format!("--state-machine {}", self.arn))?;
        Ok(started.execution_arn)
    }

    /// Waits until a run has ended. `progress` is called with how many objects are cleaned, and how many have failed.
    pub(super) async fn follow(
        &self,
        execution: &str,
        mut progress: impl FnMut(u64, u64),
    ) -> anyhow::Result<RunStatus> {
        let mut failures = 0;
        loop {
            match self.look(execution).await {
                Ok(RunStatus { status, cleaned, failed, .. }) if status == ExecutionStatus::Running.as_str() => {
                    progress(cleaned, failed);
                    failures = 0;
                }
                Ok(ended) => return Ok(ended),
                Err(error) => {
                    failures += 1;
                    if failures == LOOK_FAILURES {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// How far a run is.
    async fn look(&self, execution: &str) -> anyhow::Result<RunStatus> {
        let described = self.client.describe_execution().execution_arn(execution).send().await;
        let described = described.map_err(|error| failed(&error))?;
        let (cleaned, failed) = self.counts(execution).await?;
        let reason = described.error.into_iter().chain(described.cause).collect::<Vec<_>>().join(": ");
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        Ok(RunStatus { status: described.status.as_str().to_owned(), cleaned, failed, reason })
    }

    /// Objects of a run that are cleaned, and those that are not and will not be. None before it has listed them.
    async fn counts(&self, execution: &str) -> anyhow::Result<(u64, u64)> {
        let of_run = || execution.to_owned();
        let runs = self.client.list_map_runs().execution_arn(execution).send().await;
        let runs = runs.map_err(|error| failed(&error)).with_context(of_run)?;
        let Some(run) = runs.map_runs.first() else { return Ok((0, 0)) };
        let run = self.client.describe_map_run().map_run_arn(&run.map_run_arn).send().await;
        let run = run.map_err(|error| failed(&error)).with_context(of_run)?;
        let Some(counts) = run.item_counts else { return Ok((0, 0)) };
        let of = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok((of(counts.succeeded), of(counts.failed) + of(counts.timed_out) + of(counts.aborted)))
    }
}

/// Why a call failed.
fn failed(error: &(impl ProvideErrorMetadata + Error)) -> anyhow::Error {
    anyhow::Error::msg(millrace_aws::message(error))
}
