//! Checks shared by the event types.

use std::borrow::Cow;

use crate::field::{ValidationErrors, pointer_to};
use millrace_json::{Document, Kind, Value};

/// Checks that the document is an object.
pub(super) fn object(document: &Document<'_>) -> Result<(), ValidationErrors> {
    if document.kind() == Kind::Object {
        return Ok(());
    }
    Err(ValidationErrors::one("", format!("must be a JSON object, not {}", describe(document.kind()))))
}

/// Reads a required key: a non-empty string, or an integer as its text.
pub(super) fn required_key<'a>(
    document: &Document<'a>,
    name: &str,
    errors: &mut ValidationErrors,
) -> Option<Cow<'a, str>> {
    let Some(value) = document.get(name) else {
        errors.push(pointer_to(name), "is required: a non-empty string or an integer");
        return None;
    };
    let key = key_text(value);
    if key.is_none() {
        let problem = match value.kind() {
            Kind::String => "must not be empty".to_owned(),
            kind => format!("must be a non-empty string or an integer, not {}", describe(kind)),
        };
        errors.push(pointer_to(name), problem);
    }
    key
}

/// The text of a value that is a valid key; `None` for any other.
pub(crate) fn key_text<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    match value.kind() {
        Kind::String => value.as_str().filter(|text| !text.is_empty()),
        Kind::Integer => value.as_integer().map(Cow::Borrowed),
        _ => None,
    }
}

/// Checks that a field is present and a string.
pub(super) fn required_string(document: &Document<'_>, name: &str, errors: &mut ValidationErrors) {
    match document.get(name).map(Value::kind) {
        Some(Kind::String) => {}
        Some(kind) => errors.push(pointer_to(name), format!("must be a string, not {}", describe(kind))),
        None => errors.push(pointer_to(name), "is required: a string"),
    }
}

/// Checks that a field is missing, null or a string.
pub(super) fn optional_string(document: &Document<'_>, name: &str, errors: &mut ValidationErrors) {
    match document.get(name).map(Value::kind) {
        None | Some(Kind::Null | Kind::String) => {}
        Some(kind) => errors.push(pointer_to(name), format!("must be a string, not {}", describe(kind))),
    }
}

/// The kind's name in error texts.
pub(super) fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Integer => "an integer",
        Kind::Float => "a number with a fraction or exponent",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}
