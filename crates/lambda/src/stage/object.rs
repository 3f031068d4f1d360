//! An object that was made, or is gone, as S3 says by way of `EventBridge`.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The detail types of an object that was made, and of one that is gone: its folder is another one then.
const DETAIL_TYPES: [&str; 2] = ["Object Created", "Object Deleted"];

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

impl Object {
    /// Reads the object of an event; what is none of an object's says so.
    pub(crate) fn of(event: &Value) -> Result<Self, String> {
        let event = EventBridgeEvent::<Detail>::deserialize(event);
        let event = event.map_err(|error| format!("no event of an object: {error}"))?;
        if !DETAIL_TYPES.contains(&event.detail_type.as_str()) {
            return Err(format!("an event {:?}, not {DETAIL_TYPES:?}", event.detail_type));
        }
        Ok(Self { bucket: event.detail.bucket.name, key: event.detail.object.key })
    }

    /// Whether it is what S3's console makes as a folder: an object without content.
    pub(crate) fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_names_its_object_as_it_is() {
        let mut event = json!({
            "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "1",
            "time": "2026-01-31T12:00:00Z", "region": "eu-central-1", "resources": ["arn:aws:s3:::lake"],
            "detail": {
                "version": "0", "bucket": {"name": "lake"},
                "object": {"key": "raw/a b+c=ü%20.gz", "size": 7, "etag": "x", "sequencer": "0"}, "reason": "PutObject",
            },
        });
        let object = Object { bucket: "lake".to_owned(), key: "raw/a b+c=ü%20.gz".to_owned() };
        assert_eq!(Object::of(&event), Ok(object));
        event["detail-type"] = json!("Object Tags Added");
        let error = Object::of(&event).unwrap_err();
        assert_eq!(error, "an event \"Object Tags Added\", not [\"Object Created\", \"Object Deleted\"]");
        assert!(Object::of(&json!({})).is_err());
    }
}
