//! One invocation: a look at the hours that may be compacted.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_lake::compact::CompactLimits;
use millrace_lambda::InitError;
use millrace_lambda::stage::LakeContext;
use millrace_stages::{CompactLook, CompactStage};
use serde_json::{Value, json};

use crate::settings::Settings;

/// The part of an invocation's time, as its divisor, after which no further hour is begun.
const TIME_DIVISOR: u32 = 3;

/// The stage.
pub struct Context(CompactStage);

impl Context {
    /// Opens the lake and the bus.
    ///
    /// # Errors
    /// [`InitError`] where a setting is missing or invalid.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        let LakeContext { objects, bus, .. } = LakeContext::open(settings.lake).await?;
        // After a time-out Lambda starts the process anew, with the files of the one before.
        millrace_stages::remove_left_behind();
        let limits = CompactLimits { delay: settings.compact_delay, ..CompactLimits::default() };
        Ok(Self(CompactStage::new(objects, bus, limits)))
    }
}

/// Compacts hours that are over: the latest first, as many as there is time for.
///
/// # Errors
/// The state of the first hour that could not be compacted, after the others.
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
    let CompactLook { hours, failed } = context.0.look(Timestamp::now(), left / TIME_DIVISOR).await;
    for hour in &hours {
        let (rows, duplicates, replaced, files) = (hour.rows, hour.duplicates, hour.replaced, hour.files.len());
        tracing::info!(folder = hour.folder, rows, duplicates, replaced, files, "compacted");
    }
    match failed {
        Some(error) => Err(millrace_lambda::failed(error.state(), error.to_string())),
        None => Ok(json!({"compacted": hours.len()})),
    }
}
