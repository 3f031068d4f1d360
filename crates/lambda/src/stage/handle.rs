//! One invocation: an object, or the objects of a batch of messages.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use lambda_runtime::Diagnostic;
use millrace_domain::ErrorClass;
use millrace_stages::StageError;
use serde::Serialize;
use serde_json::Value;

use super::event::{Event, Message, Object};

/// Runs a stage for the objects of an event, by their keys in `bucket` and with the number of the attempt. Of messages, those
/// whose object may succeed later are in the answer, and come again; of what fails for good the bus was told.
///
/// # Errors
/// For an event without a queue: the stage's state (`KafkaUnavailable`, `S3MissingFile`, …), or `InvalidEvent`. For messages never.
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
    match Event::read(event) {
        Event::Object(Ok(object)) => match run(&object, 1).await {
            Ok(outcome) => answer(outcome),
            Err(error) => Err(failed(error.state(), error.to_string())),
        },
        Event::Object(Err(problem)) => Err(failed("InvalidEvent", problem)),
        Event::Messages(messages) => {
            let mut failures = SqsBatchResponse::default();
            for Message { id, attempt, object } in messages {
                let outcome = match object {
                    Ok(object) => run(&object, attempt).await,
                    Err(problem) => {
                        // No attempt would read it: it is in the log, and the message is done.
                        tracing::error!(message_id = id, problem, "ignoring a message");
                        continue;
                    }
                };
                if outcome.is_err_and(|error| error.class() == ErrorClass::Transient) {
                    let mut failure = BatchItemFailure::default();
                    failure.item_identifier = id;
                    failures.batch_item_failures.push(failure);
                }
            }
            answer(failures)
        }
    }
}

fn answer(answer: impl Serialize) -> Result<Value, Diagnostic> {
    serde_json::to_value(answer).map_err(|error| failed("InvalidAnswer", error.to_string()))
}

/// The failure of an invocation.
pub fn failed(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}
