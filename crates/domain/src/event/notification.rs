//! `millrace.notification.requested`: a message for a user.

use std::borrow::Cow;

use super::check::{key_text, object, required_key, required_string};
use super::{EventType, PartitionKey};
use crate::field::ValidationErrors;
use millrace_json::{Document, Value};

pub(super) const EVENT_TYPE: EventType = EventType {
    name: "millrace.notification.requested",
    family: "millrace.notification.",
    topic: "notifications",
    key_fields: &["user_id"],
    check,
};

fn check<'a>(document: &Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors> {
    object(document)?;
    let mut errors = ValidationErrors::default();
    let user = required_key(document, "user_id", &mut errors);
    required_string(document, "message", &mut errors);
    errors.or(user.map_or(PartitionKey::EventId, PartitionKey::from))
}

/// A notification as its consumer reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The recipient.
    pub user_id: Cow<'a, str>,
    /// The text.
    pub message: Cow<'a, str>,
}

/// The `status` values of payments, and their notification texts.
const PAYMENTS: [(&str, &str); 2] = [("paid", "Payment success"), ("declined", "Payment declined")];

impl<'a> Notification<'a> {
    /// Reads a notification from a record's value.
    ///
    /// # Errors
    /// The errors of a value that is not a notification.
    pub fn read(document: &Document<'a>) -> Result<Self, ValidationErrors> {
        check(document)?;
        let user_id = document.get("user_id").and_then(key_text);
        let message = document.get("message").and_then(Value::as_str);
        let missing = || ValidationErrors::one("", "is not a notification");
        Ok(Self { user_id: user_id.ok_or_else(missing)?, message: message.ok_or_else(missing)? })
    }

    /// The notification of a payment: for its `user_id`, else for its order's id.
    ///
    /// # Errors
    /// The errors of a value that is not a payment.
    pub fn of_payment(document: &Document<'a>) -> Result<Self, ValidationErrors> {
        object(document)?;
        let mut errors = ValidationErrors::default();
        let order = required_key(document, "order_id", &mut errors);
        required_string(document, "status", &mut errors);
        let status = document.get("status").and_then(Value::as_str);
        let text = PAYMENTS.iter().find(|(known, _)| status.as_deref() == Some(known));
        let (Some(order), Some((_, text))) = (order, text) else {
            if status.is_some() && text.is_none() {
                errors.push("/status", "must be paid or declined");
            }
            return Err(errors);
        };
        let reason = document.get("reason").and_then(Value::as_str);
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let message = Cow::Owned(format!("{text} for order {order}{reason}"));
        Ok(Self { user_id: document.get("user_id").and_then(key_text).unwrap_or(order), message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payment: &str) -> Result<(String, String), String> {
        let document = Document::parse(payment.as_bytes()).unwrap();
        let notification = Notification::of_payment(&document).map_err(|errors| errors.to_string())?;
        Ok((notification.user_id.into_owned(), notification.message.into_owned()))
    }

    #[test]
    fn a_payment_notifies_its_user_or_its_order_id() {
        let expected = |user: &str, text: &str| Ok((user.to_owned(), text.to_owned()));
        assert_eq!(read(r#"{"order_id":"101","status":"paid"}"#), expected("101", "Payment success for order 101"));
        let declined = r#"{"order_id":"7","status":"declined","reason":"too much","user_id":12345}"#;
        assert_eq!(read(declined), expected("12345", "Payment declined for order 7: too much"));
    }

    #[test]
    fn an_invalid_payment_names_its_errors() {
        assert!(read(r#"{"order_id":"101","status":"lost"}"#).unwrap_err().contains("/status"));
        assert!(read(r#"{"status":"paid"}"#).unwrap_err().contains("/order_id"));
        assert!(read(r#"{"order_id":"101"}"#).unwrap_err().contains("/status"));
        assert!(read("[]").is_err());
    }
}
