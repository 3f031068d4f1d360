//! Messages of a queue, of which those that are to come again fail alone.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::Diagnostic;
use serde::Deserialize as _;
use serde_json::Value;

use crate::failed;

/// How often SQS has handed out a message.
const RECEIVE_COUNT: &str = "ApproximateReceiveCount";

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is done with.
    Done,
    /// It comes again.
    Again,
    /// No attempt would read it, for this reason: it is in the log, and done with.
    Unreadable(String),
}

/// A message: its id, which attempt it is, and its JSON.
#[derive(Debug, PartialEq)]
struct Message {
    id: String,
    attempt: u32,
    body: Result<Value, String>,
}

/// Takes each message of an event, by its id, the number of the attempt (from 1) and its JSON. The answer has those that come again.
///
/// # Errors
/// `InvalidEvent` for what has no messages.
pub async fn take_messages(event: Value, take: impl AsyncFn(&str, u32, Value) -> Taken) -> Result<Value, Diagnostic> {
    let messages = read(event).map_err(|problem| failed("InvalidEvent", problem))?;
    let mut answer = SqsBatchResponse::default();
    for Message { id, attempt, body } in messages {
        let taken = match body {
            Ok(body) => take(&id, attempt, body).await,
            Err(problem) => Taken::Unreadable(problem),
        };
        match taken {
            Taken::Done => {}
            Taken::Unreadable(problem) => tracing::error!(message_id = id, problem, "ignoring a message"),
            Taken::Again => {
                // An alarm counts these lines: SQS's own age of the oldest message leaves out what was received three times.
                tracing::warn!(message_id = id, attempt, "a message comes again");
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                answer.batch_item_failures.push(failure);
            }
        }
    }
    serde_json::to_value(answer).map_err(|error| failed("InvalidAnswer", error.to_string()))
}

fn read(event: Value) -> Result<Vec<Message>, String> {
    let event = SqsEvent::deserialize(event).map_err(|error| format!("no messages of a queue: {error}"))?;
    Ok(event.records.into_iter().map(message).collect())
}

fn message(message: SqsMessage) -> Message {
    let attempt = message.attributes.get(RECEIVE_COUNT).and_then(|count| count.parse().ok()).unwrap_or(1);
    let body = serde_json::from_str(message.body.as_deref().unwrap_or_default());
    let body = body.map_err(|error| format!("a message that is not JSON: {error}"));
    Message { id: message.message_id.unwrap_or_default(), attempt, body }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_has_its_id_its_attempt_and_its_json() {
        let first = json!({"messageId": "m", "body": "{\"x\":1}", "attributes": {"ApproximateReceiveCount": "3"}});
        let read = read(json!({"Records": [first, {"messageId": "n", "body": "x"}]})).unwrap();
        assert_eq!(read[0], Message { id: "m".to_owned(), attempt: 3, body: Ok(json!({"x": 1})) });
        assert_eq!((read[1].id.as_str(), read[1].attempt), ("n", 1));
        let problem = read[1].body.as_ref().unwrap_err();
        assert!(problem.starts_with("a message that is not JSON"), "{problem}");
    }

    #[tokio::test]
    async fn what_comes_again_is_in_the_answer() {
        let message = |id: &str| json!({"messageId": id, "body": format!("{id:?}")});
        let event =
            json!({"Records": [message("done"), message("again"), message("bad"), {"messageId": "x", "body": "x"}]});
        let take = async |_: &str, _, body: Value| match body.as_str() {
            Some("done") => Taken::Done,
            Some("again") => Taken::Again,
            _ => Taken::Unreadable("no".to_owned()),
        };
        let answer = take_messages(event, take).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "again"}]}));
        let error = take_messages(json!({}), take).await.unwrap_err();
        assert_eq!(error.error_type, "InvalidEvent");
        assert!(error.error_message.starts_with("no messages of a queue: "), "{}", error.error_message);
    }
}
