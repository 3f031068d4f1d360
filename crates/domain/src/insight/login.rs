//! A login as its consumer reads it.

use crate::event::{LOGIN, PartitionKey, Timestamp};
use crate::field::ValidationErrors;
use crate::json::{Document, Kind, Value};

/// What an insight needs to know of a login. It owns its parts: batches outlive the records that they are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who logged in.
    pub user: Box<str>,
    /// With what.
    pub device: Option<Box<str>>,
    /// Where, as a locale.
    pub locale: Option<Box<str>>,
    /// When.
    pub time: Timestamp,
}

impl Login {
    /// Reads a login off a record's value, by the rules that the edge takes logins in by. One that does not say when it
    /// was has the time of its event, `happened`: milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The faults of a value that is not a login.
    pub fn read(document: &Document<'_>, happened: impl FnOnce() -> i64) -> Result<Self, ValidationErrors> {
        let PartitionKey::Entity(user) = (LOGIN.check)(document)? else {
            return Err(ValidationErrors::one("/user_id", "names nobody"));
        };
        let text = |name| document.get(name).and_then(Value::as_str).map(Box::from);
        let time = if let Some(value) = document.get("timestamp").filter(|value| value.kind() != Kind::Null) {
            Timestamp::read(value).map_err(|error| ValidationErrors::one("/timestamp", error.to_string()))?
        } else {
            let happened = happened();
            Timestamp::from_millis(happened).map_err(|_| {
                let fault = format!("is missing, and the record's own ({happened} ms) is no time");
                ValidationErrors::one("/timestamp", fault)
            })?
        };
        Ok(Self { user: user.into(), device: text("device_type"), locale: text("locale"), time })
    }
}
