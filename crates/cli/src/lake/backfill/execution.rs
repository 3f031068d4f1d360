//! A run of the state machine of `infra/modules/backfill`.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::Region;
use aws_sdk_sfn::error::DisplayErrorContext;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

/// How far apart a run is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// A state machine.
pub(super) struct StateMachine {
    client: Client,
    arn: String,
}

/// How a run ended.
pub(super) struct Ended {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub(super) status: String,
    /// Objects that are cleaned.
    pub(super) cleaned: u64,
    /// Objects that could not be.
    pub(super) failed: u64,
    /// Why it did not succeed.
    pub(super) reason: Option<String>,
}

impl Ended {
    /// Whether each object is cleaned.
    pub(super) fn is_success(&self) -> bool {
        self.status == ExecutionStatus::Succeeded.as_str() && self.failed == 0
    }
}

impl StateMachine {
    /// The state machine of an ARN, in its region.
    pub(super) async fn connect(arn: String) -> Self {
        let region = arn.split(':').nth(3).unwrap_or_default().to_owned();
        let mut config = millrace_aws::config();
        if !region.is_empty() {
            config = config.region(Region::new(region));
        }
        Self { client: Client::new(&config.load().await), arn }
    }

    /// Starts a run for the objects below a prefix; its ARN.
    pub(super) async fn start(&self, prefix: &str) -> anyhow::Result<String> {
        let input = json!({"prefix": prefix}).to_string();
        let started = self.client.start_execution().state_machine_arn(&self.arn).input(input).send().await;
        let started = started.map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)));
        Ok(started.with_context(|| format!("--state-machine {}", self.arn))?.execution_arn)
    }

    /// Waits until a run has ended. `progress` is called with how many objects are cleaned, and how many have failed.
    pub(super) async fn follow(&self, execution: &str, mut progress: impl FnMut(u64, u64)) -> anyhow::Result<Ended> {
        loop {
            let described = self.client.describe_execution().execution_arn(execution).send().await;
            let described = described.map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)))?;
            let (cleaned, failed) = self.counts(execution).await?;
            progress(cleaned, failed);
            if described.status != ExecutionStatus::Running {
                let reason = described.error.into_iter().chain(described.cause).collect::<Vec<_>>().join(": ");
                let reason = Some(reason).filter(|reason| !reason.is_empty());
                return Ok(Ended { status: described.status.as_str().to_owned(), cleaned, failed, reason });
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Objects of a run that are cleaned, and those that are not and will not be. None before it has listed them.
    async fn counts(&self, execution: &str) -> anyhow::Result<(u64, u64)> {
        let failed = |error: String| anyhow::anyhow!("{execution}: {error}");
        let runs = self.client.list_map_runs().execution_arn(execution).send().await;
        let runs = runs.map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
        let Some(run) = runs.map_runs.first() else { return Ok((0, 0)) };
        let run = self.client.describe_map_run().map_run_arn(&run.map_run_arn).send().await;
        let run = run.map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
        let Some(counts) = run.item_counts else { return Ok((0, 0)) };
        let of = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok((of(counts.succeeded), of(counts.failed) + of(counts.timed_out) + of(counts.aborted)))
    }
}
