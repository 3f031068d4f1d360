//! A login, as the consumer reads it.

use crate::event::{LOGIN, PartitionKey, Timestamp};
use crate::field::ValidationErrors;
use millrace_json::{Document, Kind, Value};

/// The fields of a login that an insight aggregates. Owned, because batches outlive their records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// `user_id`.
    pub user: Box<str>,
    /// `device_type`.
    pub device: Option<Box<str>>,
    /// `locale`: an insight's location.
    pub locale: Option<Box<str>>,
    /// The time of the login.
    pub time: Timestamp,
}

impl Login {
    /// Reads a login from a record's value, by the edge's rules. A login without a `timestamp` has its
    /// event's time, `event_time`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The errors of a value that is not a login.
    pub fn read(document: &Document<'_>, event_time: impl FnOnce() -> i64) -> Result<Self, ValidationErrors> {
        let PartitionKey::Entity(user) = (LOGIN.check)(document)? else {
            return Err(ValidationErrors::one("/user_id", "is not a key"));
        };
        let text = |name| document.get(name).and_then(Value::as_str).map(Box::from);
        let time = if let Some(value) = document.get("timestamp").filter(|value| value.kind() != Kind::Null) {
            Timestamp::read(value).map_err(|error| ValidationErrors::one("/timestamp", error.to_string()))?
        } else {
            let event_time = event_time();
            Timestamp::from_millis(event_time).map_err(|_| {
                let detail = format!("is missing, and the record's own ({event_time} ms) is out of range");
                ValidationErrors::one("/timestamp", detail)
            })?
        };
        Ok(Self { user: user.into(), device: text("device_type"), locale: text("locale"), time })
    }
}
