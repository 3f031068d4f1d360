//! One invocation: an object, or the objects of a batch of messages.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_domain::ErrorClass;
use millrace_stages::{Cleaned, StageError};
use serde_json::{Value, json};

use crate::context::Context;
use crate::event::{Event, Object};

/// Cleans the objects of an event.
///
/// # Errors
/// For an event without a queue: the stage's state (`KafkaUnavailable`, `S3MissingFile`, …), or `InvalidEvent`. For messages never:
/// those that are to come again are in the answer.
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    match Event::read(event.payload) {
        Event::Object(Ok(object)) => match clean(context, &object, 1).await {
            Ok(cleaned) => Ok(json!(cleaned.manifest)),
            Err(error) => Err(failed(error.state(), error.to_string())),
        },
        Event::Object(Err(problem)) => Err(failed("InvalidEvent", problem)),
        Event::Messages(messages) => {
            let mut answer = SqsBatchResponse::default();
            for (id, attempt, object) in messages {
                let cleaned = match object {
                    Ok(object) => clean(context, &object, attempt).await,
                    Err(problem) => {
                        // No attempt would read it: it is in the log, and the message is done.
                        tracing::error!(message = id, problem, "ignoring a message");
                        continue;
                    }
                };
                // Of what fails for good the bus was told.
                if cleaned.is_err_and(|error| error.class() == ErrorClass::Transient) {
                    let mut failure = BatchItemFailure::default();
                    failure.item_identifier = id;
                    answer.batch_item_failures.push(failure);
                }
            }
            serde_json::to_value(answer).map_err(|error| failed("InvalidAnswer", error.to_string()))
        }
    }
}

async fn clean(context: &Context, object: &Object, attempt: u32) -> Result<Cleaned, StageError> {
    if object.bucket != context.bucket {
        let reason = format!("{} is in the bucket {}, not in {}", object.key, object.bucket, context.bucket);
        tracing::error!(reason, "ignoring an object");
        return Err(StageError::S3MissingFile(reason));
    }
    let cleaned = context.stage.run(&object.key, attempt).await?;
    let report = &cleaned.manifest.report;
    let (rows, duplicates, quarantined, was_done) =
        (report.rows, report.duplicates, report.quarantined, cleaned.was_done);
    tracing::info!(object = object.key, attempt, rows, duplicates, quarantined, was_done, "cleaned");
    Ok(cleaned)
}

fn failed(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}
