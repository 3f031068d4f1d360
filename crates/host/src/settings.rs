//! Settings from flags and environment variables, with errors that name the one the user set.
//!
//! A binary declares its settings once, with clap's derive, and calls [`parse`] instead of clap's own.
//! Every flag, also those of subcommands, then has its environment variable:
//!
//! | flag | variable |
//! |---|---|
//! | `--kafka` | `KAFKA_BOOTSTRAP_SERVERS` |
//! | `--database` | `DATABASE_URL` |
//! | any other `--x-y` | `MILLRACE_X_Y` |
//!
//! An `#[arg(env = "…")]` of one's own stays as it is. The rules:
//!
//! - A flag wins over the variable, and over the variables of flags that it conflicts with.
//! - An empty variable counts as not set.
//! - A flag without a value (`--dry-run`) is set by `true`, `yes`, `on` or `1`, and left unset by `false`, `no`,
//!   `off` or `0`, in any case; any other value is an error.
//! - `-1` after a flag is its value and no flag, with an error as for any other value.
//! - An error about a variable names the command as well: flags of several commands may share a name.
//! - A list takes its variable's value as the value of one flag, split at `value_delimiter` if set.
//! - clap's `requires`, `required_unless_present` and required groups look at flags only.
//! - `--help` names the variables and never shows their values.
//! - Positional arguments have no variable.

mod blame;
mod environment;
mod origins;
mod values;
mod variables;
mod wording;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, Parser};

pub use environment::Environment;
pub use origins::{Origin, Origins};
pub use values::{duration, listen_address, whole_number};

/// Parsed settings and their origins.
#[derive(Debug)]
pub struct Parsed<T> {
    /// The settings.
    pub args: T,
    /// Origin of each setting.
    pub origins: Origins,
}

/// Parses the settings of this process. An error is written to stderr and exits with code 2; `--help` and `--version`
/// are written to stdout and exit with 0.
pub fn parse<T: Parser>() -> Parsed<T> {
    try_parse_from(std::env::args_os(), &Environment::of_process()).unwrap_or_else(|error| error.exit())
}

/// Parses settings from `args`, the program's name first, and `environment`.
///
/// The error is the text to show to the user, including that of `--help`.
pub fn try_parse_from<T: Parser>(
    args: impl IntoIterator<Item = impl Into<OsString>>,
    environment: &Environment,
) -> Result<Parsed<T>, clap::Error> {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let mut environment = environment.only(&variables::names(&T::command()));

    let (mut command, mut matches) = match read::<T>(&args, &environment) {
        Ok(read) => read,
        Err(error) if is_help(&error) => return Err(help::<T>(&args).unwrap_or(error)),
        Err(error) => return Err(with_setting_name::<T>(error, &args, &environment)),
    };

    let mut set = variables::set(&T::command(), &environment);
    let overruled = origins::overruled_variables(&command, &matches, &set)?;
    if !overruled.is_empty() {
        environment = overruled.iter().fold(environment, |left, variable| left.without(variable));
        set = variables::set(&T::command(), &environment);
        (command, matches) = read::<T>(&args, &environment)?;
    }

    let origins = Origins::of(&command, &matches, &set);
    let args = T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
    Ok(Parsed { args, origins })
}

fn read<T: Parser>(args: &[OsString], environment: &Environment) -> Result<(Command, ArgMatches), clap::Error> {
    let mut command = variables::fill(T::command(), environment);
    let matches = command.try_get_matches_from_mut(args)?;
    Ok((command, matches))
}

/// `error` with the setting as the user wrote it, and with the accepted values.
fn with_setting_name<T: Parser>(error: clap::Error, args: &[OsString], environment: &Environment) -> clap::Error {
    let variable = blame::variable(&error, environment, |other| read::<T>(args, other).err());
    if let (Some(variable), ErrorKind::InvalidUtf8) = (variable, error.kind()) {
        return clap::Error::raw(ErrorKind::InvalidUtf8, format!("the value of '{variable}' is not UTF-8\n"));
    }
    let blamed = variable.map(|variable| wording::Blamed { variable, command: invoked_command(T::command(), args) });
    wording::explain(error, blamed.as_ref())
}

/// The program and the subcommand of `args`, ignoring other errors.
fn invoked_command(command: Command, args: &[OsString]) -> String {
    let mut name = command.get_name().to_owned();
    let matches = command.ignore_errors(true).try_get_matches_from(args).unwrap_or_default();
    let mut level = matches.subcommand();
    while let Some((subcommand, below)) = level {
        name = format!("{name} {subcommand}");
        level = below.subcommand();
    }
    name
}

/// The help text for `args`, with the names of the variables.
fn help<T: Parser>(args: &[OsString]) -> Option<clap::Error> {
    variables::document(T::command()).try_get_matches_from(args).err().filter(is_help)
}

fn is_help(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

#[cfg(test)]
mod tests;
