//! One invocation: an object, or the objects of a batch of messages.

use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_lambda::InitError;
use millrace_lambda::stage::{self, LakeContext, StageContext};
use millrace_stages::{CleanStage, Cleaned};
use serde::Serialize;
use serde_json::Value;

use crate::settings::Settings;

/// The stage, and the bucket whose objects it cleans.
pub struct Context {
    stage: CleanStage,
    bucket: String,
}

impl Context {
    /// Opens what the stage needs.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or invalid, or the MSK cluster's bootstrap brokers cannot be read.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        let StageContext { lake, producer } = StageContext::open(settings.stage).await?;
        let LakeContext { objects, bus, bucket } = lake;
        // After a time-out Lambda starts the process anew, with the files of the one before.
        millrace_stages::remove_left_behind();
        Ok(Self { stage: CleanStage::new(objects, producer, bus), bucket })
    }
}

/// What became of an object, without the names of its files: of an object whose rows lie in thousands of hours those are more than Step
/// Functions takes as an answer. Its manifest has them.
#[derive(Debug, Serialize)]
struct Summary {
    object: String,
    rows: u64,
    duplicates: u64,
    quarantined: u64,
    files: usize,
    was_done: bool,
}

impl Summary {
    fn of(Cleaned { manifest, was_done, .. }: Cleaned) -> Self {
        let report = manifest.report;
        Self {
            object: manifest.object,
            rows: report.rows,
            duplicates: report.duplicates,
            quarantined: report.quarantined,
            files: manifest.files.len(),
            was_done,
        }
    }
}

/// Cleans the objects of an event.
///
/// # Errors
/// As [`stage::handle`].
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let clean = async |object: &str, attempt| {
        let cleaned = Summary::of(context.stage.run(object, attempt).await?);
        let Summary { rows, duplicates, quarantined, was_done, .. } = cleaned;
        tracing::info!(object, attempt, rows, duplicates, quarantined, was_done, "cleaned");
        Ok(cleaned)
    };
    stage::handle(&context.bucket, event.payload, clean).await
}
