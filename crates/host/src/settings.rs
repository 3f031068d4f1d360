//! Settings: clap's flags, each with its environment variable.
//!
//! A binary declares its settings once, with clap's derive, and calls [`parse`] instead of clap's own. Every long flag,
//! also those of subcommands, then has a variable:
//!
//! | flag | variable |
//! |---|---|
//! | `--kafka` | `KAFKA_BOOTSTRAP_SERVERS` |
//! | `--kafka-x-y` | `KAFKA_X_Y`, as Kafka's own tools name it |
//! | `--database` | `DATABASE_URL` |
//! | any other `--x-y` | `MILLRACE_X_Y` |
//!
//! - A flag wins over its variable. An empty variable counts as not set.
//! - A flag without a value (`--dry-run`) is set by `true`, `yes`, `on` or `1` in its variable, and left unset by
//!   `false`, `no`, `off` or `0`.
//! - `-1` after a flag is its value and no flag, with an error as for any other value.
//! - An error names the flag and the variable, whichever of them was used.
//! - `--help` names the variables and never shows their values.

mod values;

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, Parser};

pub use values::{bootstrap_servers, duration, listen_address, whole_number};

/// Parses the settings of this process. An error is written to stderr and exits with code 2; `--help` and `--version`
/// are written to stdout and exit with 0.
pub fn parse<T: Parser>() -> T {
    try_parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// Parses settings from `args`, the program's name first, and the variables of this process.
///
/// The error is the text to show to the user, including that of `--help`.
pub fn try_parse_from<T: Parser>(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<T, clap::Error> {
    let mut command = with_variables(T::command());
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let parsed = command.try_get_matches_from_mut(&args);
    let mut matches =
        parsed.map_err(|error| naming_unreadable(error, &mut command, &args)).map_err(naming_variables)?;
    T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// A setting as errors name it: `--listen (MILLRACE_LISTEN)` for the flag `listen`.
pub fn name(flag: &str) -> String {
    format!("--{flag} ({})", variable(flag))
}

/// The variable of a flag.
pub(crate) fn variable(flag: &str) -> String {
    let name = flag.replace('-', "_").to_uppercase();
    match flag {
        "kafka" => "KAFKA_BOOTSTRAP_SERVERS".to_owned(),
        "database" => "DATABASE_URL".to_owned(),
        _ if flag.starts_with("kafka-") => name,
        _ => format!("MILLRACE_{name}"),
    }
}

/// Parses the variable of a flag without a value.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("must be true or false (or yes or no, on or off, 1 or 0)".to_owned()),
    }
}

fn with_variables(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let Some(variable) = arg.get_long().map(variable) else { return arg };
            let arg = if matches!(arg.get_action(), ArgAction::SetTrue) {
                arg.value_parser(switch)
            } else {
                arg.allow_negative_numbers(true)
            };
            // What passes variables on, as Compose does with `X: ${X:-}`, sets those that are missing to nothing.
            let is_empty = std::env::var_os(&variable).is_some_and(|value| value.is_empty());
            if is_empty { arg } else { arg.env(variable).hide_env_values(true) }
        })
        .mut_subcommands(with_variables)
}

/// Names the settings whose values are not UTF-8: clap's error names none.
fn naming_unreadable(error: clap::Error, command: &mut Command, args: &[OsString]) -> clap::Error {
    if error.kind() != ErrorKind::InvalidUtf8 {
        return error;
    }
    let mut names = unreadable_arguments(args);
    if names.is_empty() {
        let mut subcommand = &*command;
        names.extend(unreadable_variables(subcommand, args));
        for arg in args {
            if let Some(found) = subcommand.find_subcommand(arg) {
                names.extend(unreadable_variables(found, args));
                subcommand = found;
            }
        }
        // Subcommands have their command's settings, too.
        names.sort_unstable();
        names.dedup();
    }
    command.error(ErrorKind::InvalidUtf8, format!("not UTF-8: the value of {}", names.join(" and ")))
}

/// The flags whose values are not UTF-8, and the arguments without a flag.
fn unreadable_arguments(args: &[OsString]) -> Vec<String> {
    let before = std::iter::once(None).chain(args.iter().map(Some));
    let unreadable = before.zip(args).filter(|(_, arg)| arg.to_str().is_none());
    let flag_of = |text: &str| text.strip_prefix("--").map(|flag| name(flag.split('=').next().unwrap_or(flag)));
    let named = |(before, arg): (Option<&OsString>, &OsString)| {
        let text = arg.to_string_lossy();
        let own = text.contains('=').then(|| flag_of(&text)).flatten();
        own.or_else(|| flag_of(before?.to_str()?)).unwrap_or_else(|| text.into_owned())
    };
    unreadable.map(named).collect()
}

/// The settings of a command, without those of its subcommands, whose variables are read, are not UTF-8 and must be.
fn unreadable_variables(command: &Command, args: &[OsString]) -> Vec<String> {
    let takes_any = |arg: &Arg| arg.get_value_parser().type_id() == ValueParser::path_buf().type_id();
    let is_given = |arg: &Arg| {
        let flag = arg.get_long().map(|flag| format!("--{flag}"));
        let text = |given: &OsString| given.to_str().and_then(|text| text.split('=').next()).map(str::to_owned);
        args.iter().any(|given| flag.is_some() && text(given) == flag)
    };
    let is_unreadable = |arg: &&Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        !takes_any(arg) && !is_given(arg) && value.is_some_and(|value| value.to_str().is_none())
    };
    command.get_arguments().filter(is_unreadable).filter_map(|arg| arg.get_long().map(name)).collect()
}

/// `error` with the variable beside each flag that it names.
fn naming_variables(mut error: clap::Error) -> clap::Error {
    use ErrorKind::{ArgumentConflict, InvalidValue, MissingRequiredArgument, ValueValidation};
    // Other errors are about the command line alone, such as a flag that does not exist.
    if !matches!(error.kind(), ArgumentConflict | InvalidValue | MissingRequiredArgument | ValueValidation) {
        return error;
    }
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let named = match error.get(kind) {
            Some(ContextValue::String(arg)) => ContextValue::String(naming_variable(arg)),
            Some(ContextValue::Strings(args)) => {
                ContextValue::Strings(args.iter().map(|arg| naming_variable(arg)).collect())
            }
            _ => continue,
        };
        error.insert(kind, named);
    }
    error
}

/// `--listen <ADDRESS> (MILLRACE_LISTEN)` for `--listen <ADDRESS>`; a positional argument has no variable.
fn naming_variable(arg: &str) -> String {
    let flag = arg.strip_prefix("--").and_then(|flag| flag.split(' ').next());
    flag.map_or_else(|| arg.to_owned(), |flag| format!("{arg} ({})", variable(flag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with one of each kind of setting
    #[derive(Debug, Parser)]
    #[command(name = "program", version)]
    struct Program {
        #[arg(long, global = true)]
        log: Option<String>,
        #[command(subcommand)]
        command: Subcommand,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Subcommand {
        Load(Load),
    }

    #[derive(Debug, clap::Args)]
    struct Load {
        topic: Option<u8>,
        #[arg(long)]
        url: String,
        #[arg(long)]
        kafka: Option<String>,
        #[arg(long, conflicts_with = "kafka")]
        kafka_cluster_arn: Option<String>,
        #[arg(long)]
        database: Option<String>,
        #[arg(long, value_parser = whole_number::<u32>(1..=8))]
        max_workers: Option<u32>,
        #[arg(long, value_parser = ["red", "green"])]
        colour: Option<String>,
        #[arg(long)]
        dry_run: bool,
    }

    fn parsed(args: &[&str]) -> Result<Program, clap::Error> {
        try_parse_from(["program", "load"].iter().chain(args))
    }

    #[test]
    fn a_wrong_setting_is_named_by_its_flag_and_its_variable() {
        let both = ["--kafka=b:1", "--kafka-cluster-arn=a"];
        let table: [(&[&str], &str); 10] = [
            (&["--max-workers", "x"], "'x' for '--max-workers <MAX_WORKERS> (MILLRACE_MAX_WORKERS)': must be a whole"),
            (&["--max-workers", "-1"], "'-1' for '--max-workers <MAX_WORKERS> (MILLRACE_MAX_WORKERS)': must be"),
            (
                &["--colour", "blue"],
                "'blue' for '--colour <COLOUR> (MILLRACE_COLOUR)'\n  [possible values: red, green]",
            ),
            (&["--log"], "required for '--log <LOG> (MILLRACE_LOG)'"),
            (&[], "not provided:\n  --url <URL> (MILLRACE_URL)\n"),
            (&both, "'--kafka-cluster-arn <KAFKA_CLUSTER_ARN> (KAFKA_CLUSTER_ARN)'"),
            (&both, "'--kafka <KAFKA> (KAFKA_BOOTSTRAP_SERVERS)'"),
            (&["x"], "'x' for '[TOPIC]': invalid digit"),
            (&["--dry-run=x"], "'x' for '--dry-run' found"),
            (&["--colours", "red"], "'--colours' found"),
        ];
        for (args, expected) in table {
            let error = parsed(args).expect_err("the settings are wrong");
            assert_eq!(error.exit_code(), 2, "{error}");
            assert!(error.to_string().contains(expected), "no {expected:?} in\n{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_flag_whose_value_is_not_utf_8_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        for (before, value, expected) in [
            (vec!["--url"], &b"\xff"[..], "the value of --url (MILLRACE_URL)"),
            (vec![], b"--kafka=\xff", "the value of --kafka (KAFKA_BOOTSTRAP_SERVERS)"),
        ] {
            let args = ["program", "load"].into_iter().chain(before).map(OsString::from);
            let args = args.chain([OsString::from_vec(value.to_vec())]);
            let error = try_parse_from::<Program>(args).expect_err("not UTF-8").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn every_flag_has_its_variable_in_the_help() {
        let error = parsed(&["--help"]).unwrap_err();
        assert_eq!(error.exit_code(), 0);
        let help = error.to_string();
        let variables: Vec<_> = help.split("[env: ").skip(1).filter_map(|rest| rest.split(']').next()).collect();
        let expected = [
            "MILLRACE_LOG",
            "MILLRACE_URL",
            "KAFKA_BOOTSTRAP_SERVERS",
            "KAFKA_CLUSTER_ARN",
            "DATABASE_URL",
            "MILLRACE_MAX_WORKERS",
            "MILLRACE_COLOUR",
            "MILLRACE_DRY_RUN",
        ];
        assert_eq!(variables, expected);
    }
}
