//! The name of an insight's file.

use thiserror::Error;
use uuid::Uuid;

use crate::event::Timestamp;
use millrace_json::{Document, Error, Value};

/// A value that is not an insight.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAnInsight {
    /// Not JSON.
    #[error("not JSON: {0}")]
    NotJson(#[from] Error),
    /// A member of the file name is missing or invalid.
    #[error("the member {member:?} is not {expected}")]
    Member {
        /// The member.
        member: &'static str,
        /// The expected kind of value.
        expected: &'static str,
    },
}

/// The name of the file for an insight's JSON, `insights_<start>_<end>_<id>.json`, with times to the second as in
/// `20260131T120000Z`. It depends on the insight alone: writing the file again is idempotent.
///
/// # Errors
/// [`NotAnInsight`] names the missing or invalid member. No value puts a path into the name.
pub fn file_name(value: &[u8]) -> Result<String, NotAnInsight> {
    let document = Document::parse(value)?;
    let text = |member| document.get(member).and_then(Value::as_str);
    let id = text("id").and_then(|id| Uuid::try_parse(&id).ok());
    let id = id.ok_or(NotAnInsight::Member { member: "id", expected: "a UUID" })?;
    let time = |member| {
        let time = text(member).and_then(|text| compact(&text));
        time.ok_or(NotAnInsight::Member { member, expected: "a time" })
    };
    Ok(format!("insights_{}_{}_{id}.json", time("start_time")?, time("end_time")?))
}

/// A time in ISO 8601's basic format, to the second.
fn compact(text: &str) -> Option<String> {
    let time = Timestamp::from_text(text).ok()?.as_utc().as_civil();
    Some(time.strftime("%Y%m%dT%H%M%SZ").to_string())
}
