//! Errors in the user's words: clap names the flag, also where the value came from a variable.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Environment;

/// `error` with the variable's name for the flag's, if it is a variable's value that is wrong.
///
/// The variable to blame is the one without which reading the settings again (`attempt`) fails in another way or
/// not at all. A value wrong on the command line is found before any variable is looked at, so it stays the same.
pub(super) fn in_the_users_words(
    mut error: clap::Error,
    environment: &Environment,
    attempt: impl Fn(&Environment) -> Option<clap::Error>,
) -> clap::Error {
    if !is_about_a_value(&error) {
        return error;
    }
    let to_blame = environment
        .names()
        .find(|variable| attempt(&environment.without(variable)).is_none_or(|other| !same(&other, &error)));
    let Some(variable) = to_blame else {
        return error;
    };
    if error.kind() == ErrorKind::InvalidUtf8 {
        return clap::Error::raw(ErrorKind::InvalidUtf8, format!("the value of '{variable}' is not UTF-8\n"));
    }
    error.insert(ContextKind::InvalidArg, ContextValue::String(variable.to_owned()));
    error
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
