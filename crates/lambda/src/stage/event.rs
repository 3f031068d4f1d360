//! What starts the function: S3's `Object Created` or `Object Deleted` by way of `EventBridge`, in messages of a queue or by itself.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The detail types of an object that was made, and of one that is gone: its folder is another one then.
const DETAIL_TYPES: [&str; 2] = ["Object Created", "Object Deleted"];

/// How often SQS has handed out a message.
const RECEIVE_COUNT: &str = "ApproximateReceiveCount";

/// Objects for a stage.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// One, whose failure fails the invocation.
    Object(Result<Object, String>),
    /// Those of messages, each of which comes again by itself where its object fails.
    Messages(Vec<Message>),
}

/// A message: its id, which attempt it is, and its object.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) object: Result<Object, String>,
}

/// An object that was made, or is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    /// Its key as it is: not encoded, unlike in S3's own notifications.
    pub(crate) key: String,
}

/// The part of the event's detail that is used.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Detail {
    bucket: Named,
    object: Keyed,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Keyed {
    key: String,
}

impl Event {
    /// Reads an event. What is none of an object's says so.
    pub(crate) fn read(event: Value) -> Self {
        if event["Records"].is_array() {
            return match SqsEvent::deserialize(event) {
                Ok(event) => Self::Messages(event.records.into_iter().map(message).collect()),
                Err(error) => Self::Object(Err(format!("messages that cannot be read: {error}"))),
            };
        }
        Self::Object(object(event))
    }
}

fn message(message: SqsMessage) -> Message {
    let attempt = message.attributes.get(RECEIVE_COUNT).and_then(|count| count.parse().ok()).unwrap_or(1);
    let body = serde_json::from_str(message.body.as_deref().unwrap_or_default());
    let object = body.map_err(|error| format!("a message that is not JSON: {error}")).and_then(object);
    Message { id: message.message_id.unwrap_or_default(), attempt, object }
}

fn object(event: Value) -> Result<Object, String> {
    let event = EventBridgeEvent::<Detail>::deserialize(event);
    let event = event.map_err(|error| format!("no event of an object: {error}"))?;
    if !DETAIL_TYPES.contains(&event.detail_type.as_str()) {
        return Err(format!("an event {:?}, not {DETAIL_TYPES:?}", event.detail_type));
    }
    Ok(Object { bucket: event.detail.bucket.name, key: event.detail.object.key })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn created(key: &str) -> Value {
        json!({
            "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "1",
            "time": "2026-01-31T12:00:00Z", "region": "eu-central-1", "resources": ["arn:aws:s3:::lake"],
            "detail": {
                "version": "0", "bucket": {"name": "lake"},
                "object": {"key": key, "size": 7, "etag": "x", "sequencer": "0"}, "reason": "PutObject",
            },
        })
    }

    fn lake(key: &str) -> Object {
        Object { bucket: "lake".to_owned(), key: key.to_owned() }
    }

    #[test]
    fn an_event_names_its_object_as_it_is() {
        assert_eq!(Event::read(created("raw/a b+c=ü%20.gz")), Event::Object(Ok(lake("raw/a b+c=ü%20.gz"))));
        let body = |event: &Value| json!({"messageId": "m", "body": event.to_string(), "attributes": {"ApproximateReceiveCount": "3"}});
        let mut tagged = created("raw/b");
        tagged["detail-type"] = json!("Object Tags Added");
        let messages = json!({"Records": [body(&created("raw/a")), body(&tagged), {"messageId": "n", "body": "x"}]});
        let Event::Messages(read) = Event::read(messages) else { unreachable!("messages") };
        assert_eq!(read[0], Message { id: "m".to_owned(), attempt: 3, object: Ok(lake("raw/a")) });
        let errors: Vec<_> = read[1..].iter().map(|message| message.object.clone().unwrap_err()).collect();
        assert_eq!(errors[0], "an event \"Object Tags Added\", not [\"Object Created\", \"Object Deleted\"]");
        assert!(errors[1].starts_with("a message that is not JSON"), "{errors:?}");
        assert!(matches!(Event::read(json!({})), Event::Object(Err(_))));
    }
}
