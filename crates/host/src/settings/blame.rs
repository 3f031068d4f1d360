//! Finds the variable behind a clap error: clap names the flag, also for a value from a variable.

use clap::error::{ContextKind, ErrorKind};

use super::Environment;

/// The variable whose value caused `error`, if any.
///
/// It is the one without which parsing again (`attempt`) fails in another way or not at all. A wrong value on the
/// command line is found before variables are read, so its error stays the same.
pub(super) fn variable<'a>(
    error: &clap::Error,
    environment: &'a Environment,
    attempt: impl Fn(&Environment) -> Option<clap::Error>,
) -> Option<&'a str> {
    if !is_about_a_value(error) {
        return None;
    }
    environment
        .names()
        .find(|variable| attempt(&environment.without(variable)).is_none_or(|other| !same(&other, error)))
}

fn is_about_a_value(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidValue
            | ErrorKind::ValueValidation
            | ErrorKind::InvalidUtf8
            | ErrorKind::TooFewValues
            | ErrorKind::TooManyValues
            | ErrorKind::WrongNumberOfValues
    )
}

fn same(one: &clap::Error, other: &clap::Error) -> bool {
    one.kind() == other.kind() && one.get(ContextKind::InvalidArg) == other.get(ContextKind::InvalidArg)
}
