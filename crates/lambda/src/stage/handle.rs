//! One invocation: an object, or the objects of a batch of messages.

use lambda_runtime::Diagnostic;
use millrace_domain::ErrorClass;
use millrace_stages::StageError;
use serde::Serialize;
use serde_json::Value;

use super::object::Object;
use crate::failed;
use crate::queue::{Taken, take_messages};

/// Runs a stage for the objects of an event, by their keys in `bucket` and with the number of the attempt. Of messages, those
/// whose object may succeed later are in the answer, and come again; of what fails for good the bus was told. What S3's console makes as a
/// folder is no object.
///
/// # Errors
/// For an event without a queue: the stage's state (`KafkaUnavailable`, `S3MissingFile`, …), or `InvalidEvent`.
pub async fn handle<T: Serialize>(
    bucket: &str,
    event: Value,
    run: impl AsyncFn(&str, u32) -> Result<T, StageError>,
) -> Result<Value, Diagnostic> {
    let run = async |object: &Object, attempt| {
        if object.bucket == bucket {
            return run(&object.key, attempt).await;
        }
        let reason = format!("{} is in the bucket {}, not in {bucket}", object.key, object.bucket);
        tracing::error!(reason, "ignoring an object");
        Err(StageError::S3MissingFile(reason))
    };
    if event["Records"].is_array() {
        let take = async |_: &str, attempt, body: Value| match Object::of(&body) {
            Ok(object) if object.is_folder() => Taken::Done,
            Ok(object) => match run(&object, attempt).await {
                Err(error) if error.class() == ErrorClass::Transient => Taken::Again,
                Ok(_) | Err(_) => Taken::Done,
            },
            Err(problem) => Taken::Unreadable(problem),
        };
        return take_messages(event, take).await;
    }
    let object = Object::of(&event).map_err(|problem| failed("InvalidEvent", problem))?;
    if object.is_folder() {
        return Ok(Value::Null);
    }
    let outcome = run(&object, 1).await.map_err(|error| failed(error.state(), error.to_string()))?;
    serde_json::to_value(outcome).map_err(|error| failed("InvalidAnswer", error.to_string()))
}
