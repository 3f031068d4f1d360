//! Maps flags to environment variables, and passes their values to clap.
//!
//! clap can read variables itself, but only those of the process, including empty ones, and with the precedence of a
//! flag, so that a variable would conflict with a flag on the command line. So a variable is passed to clap as the
//! flag's default.

use std::collections::{BTreeMap, BTreeSet};

use clap::builder::{OsStr, Resettable};
use clap::{Arg, ArgAction, Command};

use super::Environment;

/// The variable of `arg`, if it has one.
fn of(arg: &Arg) -> Option<String> {
    if let Some(own) = arg.get_env() {
        return own.to_str().map(str::to_owned);
    }
    if matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version) {
        return None;
    }
    Some(match arg.get_long()? {
        "kafka" => "KAFKA_BOOTSTRAP_SERVERS".to_owned(),
        "database" => "DATABASE_URL".to_owned(),
        flag => format!("MILLRACE_{}", flag.replace('-', "_").to_uppercase()),
    })
}

/// The names of the variables of `command` and all its subcommands.
pub(super) fn names(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(of);
    let below = command.get_subcommands().flat_map(names);
    own.chain(below).collect()
}

/// The variables of `command` and all its subcommands that are set in `environment`, by their flags.
///
/// `command` is as declared: [`fill`] removes the variables that it names itself.
pub(super) fn set(command: &Command, environment: &Environment) -> BTreeMap<String, String> {
    let own = command.get_arguments().filter_map(|arg| {
        let variable = of(arg).filter(|variable| environment.get(variable).is_some())?;
        Some((arg.get_long()?.to_owned(), variable))
    });
    let below = command.get_subcommands().flat_map(|subcommand| set(subcommand, environment));
    own.chain(below).collect()
}

/// `command` with the variables' values as its defaults.
pub(super) fn fill(command: Command, environment: &Environment) -> Command {
    command
        .mut_args(|arg| {
            let arg = if takes_a_value(&arg) { arg.allow_negative_numbers(true) } else { arg };
            let Some(variable) = of(&arg) else { return arg };
            let arg = arg.env(Resettable::<OsStr>::Reset);
            let Some(value) = environment.get(&variable) else {
                return arg;
            };
            let arg = if matches!(arg.get_action(), ArgAction::SetTrue) { arg.value_parser(switch) } else { arg };
            arg.required(false).default_value(value.to_owned())
        })
        .mut_subcommands(|subcommand| fill(subcommand, environment))
}

fn takes_a_value(arg: &Arg) -> bool {
    arg.get_long().is_some() && matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Parses the variable of a flag without a value.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("must be true or false (or yes or no, on or off, 1 or 0)".to_owned()),
    }
}

/// `command` with the variables' names in its help.
pub(super) fn document(command: Command) -> Command {
    command
        .mut_args(|arg| match of(&arg) {
            Some(variable) => arg.env(variable).hide_env_values(true),
            None => arg,
        })
        .mut_subcommands(document)
}
