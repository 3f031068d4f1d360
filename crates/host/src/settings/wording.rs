//! Rewrites clap's errors to say what is accepted: clap shows the errors of Rust's parsers, and names flags only.

use std::error::Error as _;
use std::num::{IntErrorKind, ParseIntError};

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A variable whose value is wrong.
pub(super) struct Blamed<'a> {
    /// Its name.
    pub(super) variable: &'a str,
    /// The command that reads it: `millrace tail`.
    pub(super) command: String,
}

/// `error` rewritten; `blamed` is the variable whose value is wrong, if it is not a flag's.
pub(super) fn explain(mut error: clap::Error, blamed: Option<&Blamed<'_>>) -> clap::Error {
    let reason = reason(&error);
    let (Some(flag), Some(value)) = (text(&error, ContextKind::InvalidArg), text(&error, ContextKind::InvalidValue))
    else {
        return error;
    };
    match (blamed, reason) {
        // Variables of several commands may share a name: the command shows which one is meant.
        (Some(Blamed { variable, command }), Some(reason)) => {
            refusal(error.kind(), &value, &format!("'{variable}' of '{command}'"), &reason.text)
        }
        (Some(Blamed { variable, .. }), None) => {
            error.insert(ContextKind::InvalidArg, ContextValue::String((*variable).to_owned()));
            error
        }
        (None, Some(reason)) if reason.is_reworded => refusal(error.kind(), &value, &format!("'{flag}'"), &reason.text),
        (None, _) => error,
    }
}

/// Why a value is wrong.
struct Reason {
    text: String,
    /// Whether it differs from clap's text.
    is_reworded: bool,
}

fn reason(error: &clap::Error) -> Option<Reason> {
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue)
        && !values.is_empty()
    {
        return Some(Reason { text: format!("must be one of {}", values.join(", ")), is_reworded: false });
    }
    let source = error.source()?;
    let number = source.downcast_ref::<ParseIntError>().map(|error| match error.kind() {
        IntErrorKind::Zero => "must be a whole number, at least 1".to_owned(),
        IntErrorKind::PosOverflow => "must be a smaller number".to_owned(),
        _ => "must be a whole number".to_owned(),
    });
    let ours = number.or_else(|| range(&source.to_string()));
    Some(Reason { is_reworded: ours.is_some(), text: ours.unwrap_or_else(|| source.to_string()) })
}

/// A number out of range, for which clap says `0 is not in 1..=9`.
fn range(message: &str) -> Option<String> {
    let (first, last) = message.split_once(" is not in ")?.1.split_once("..=")?;
    Some(format!("must be a whole number from {first} to {last}"))
}

fn refusal(kind: ErrorKind, value: &str, setting: &str, reason: &str) -> clap::Error {
    let text = format!("invalid value '{value}' for {setting}: {reason}\n\nFor more information, try '--help'.\n");
    clap::Error::raw(kind, text)
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}
