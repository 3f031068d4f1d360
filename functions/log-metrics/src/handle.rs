//! One invocation: files of rows to be counted, or a look at the metrics.

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_lambda::InitError;
use millrace_lambda::stage::{self, LakeContext, StageContext};
use millrace_stages::{MetricsStage, Watch, WatchSettings};
use serde_json::{Value, json};

use crate::settings::Settings;

/// The detail type of a schedule's event.
const SCHEDULED: &str = "Scheduled Event";

/// The stage, the watch, and the bucket whose objects they read.
pub struct Context {
    stage: MetricsStage,
    watch: Watch,
    bucket: String,
}

impl Context {
    /// Opens what the stage and the watch need.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or invalid, or the MSK cluster's bootstrap brokers cannot be read.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        let StageContext { lake, producer } = StageContext::open(settings.stage).await?;
        let LakeContext { objects, bus, bucket } = lake;
        let times = WatchSettings { delay: settings.alert_delay, quiet: settings.alert_quiet };
        let watch = Watch::new(objects.clone(), bus.clone(), times);
        Ok(Self { stage: MetricsStage::new(objects, producer, bus), watch, bucket })
    }
}

/// Counts the hours of an event's objects; at a schedule's event, tells what is unusual.
///
/// # Errors
/// As [`stage::handle`]; of a look, the state that it failed in.
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    if event.payload["detail-type"] == SCHEDULED {
        let told = context.watch.look(Timestamp::now()).await;
        let told = told.map_err(|error| millrace_lambda::failed(error.state(), error.to_string()))?;
        for alert in &told {
            tracing::info!(alert = alert.alert_id(), kind = alert.event_type(), "{}", alert.headline());
        }
        return Ok(json!({"told": told.len()}));
    }
    let count = async |object: &str, attempt| {
        let counted = context.stage.run(object, attempt).await?;
        tracing::info!(object, attempt, windows = counted.windows, files = counted.files, "counted");
        Ok(counted)
    };
    stage::handle(&context.bucket, event.payload, count).await
}
