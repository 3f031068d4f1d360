//! Origins of settings, so that later errors name a setting as the user wrote it.

use std::collections::BTreeMap;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use crate::exit::SettingError;

/// Origin of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment variable of this name.
    Variable(String),
    /// The default.
    Default,
}

/// Origin of each setting's value, by the long flag without its dashes.
#[derive(Debug, Clone, Default)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Origins of the settings in `matches`, given the variables that were `set`, by their flags.
    pub(super) fn of(command: &Command, matches: &ArgMatches, set: &BTreeMap<String, String>) -> Self {
        let mut origins = BTreeMap::new();
        for level in levels(command, matches) {
            for arg in level.command.get_arguments() {
                let Some(flag) = arg.get_long() else { continue };
                let origin = level.origin(arg, set);
                if origin != Origin::Default {
                    origins.insert(flag.to_owned(), origin);
                }
            }
        }
        Self(origins)
    }

    /// Origin of `setting` (`listen` for `--listen`).
    pub fn origin(&self, setting: &str) -> &Origin {
        self.0.get(setting).unwrap_or(&Origin::Default)
    }

    /// `setting` as the user wrote it: `MILLRACE_LISTEN` for a value from the environment, `--listen` for one from the
    /// command line or the default.
    pub fn name(&self, setting: &str) -> String {
        match self.origin(setting) {
            Origin::Variable(variable) => variable.clone(),
            Origin::Flag | Origin::Default => format!("--{setting}"),
        }
    }

    /// A [`SettingError`] for `setting`.
    pub fn error(&self, setting: &str, problem: impl Into<String>) -> SettingError {
        SettingError::new(self.name(setting), problem)
    }
}

/// The variables of `set` (by their flags) that are overridden by a conflicting flag on the command line.
///
/// Two variables in conflict are an error that names both.
pub(super) fn overruled_variables(
    command: &Command,
    matches: &ArgMatches,
    set: &BTreeMap<String, String>,
) -> Result<Vec<String>, clap::Error> {
    let mut overruled = Vec::new();
    for level in levels(command, matches) {
        let given: Vec<(&Arg, Origin)> = level
            .command
            .get_arguments()
            .map(|arg| (arg, level.origin(arg, set)))
            .filter(|(_, origin)| *origin != Origin::Default)
            .collect();
        for (arg, origin) in &given {
            let Origin::Variable(variable) = origin else {
                continue;
            };
            let rivals = given.iter().filter(|(other, _)| level.conflict(arg, other));
            let (flags, others): (Vec<_>, Vec<_>) = rivals.partition(|(_, origin)| *origin == Origin::Flag);
            if !flags.is_empty() {
                overruled.push(variable.clone());
            } else if let Some((_, Origin::Variable(other))) = others.first() {
                return Err(clap::Error::raw(
                    ErrorKind::ArgumentConflict,
                    format!("'{variable}' cannot be used with '{other}'\n"),
                ));
            }
        }
    }
    Ok(overruled)
}

/// One level of the command line: the program, its subcommand, and so on.
struct Level<'a> {
    command: &'a Command,
    matches: &'a ArgMatches,
}

impl Level<'_> {
    fn origin(&self, arg: &Arg, set: &BTreeMap<String, String>) -> Origin {
        match self.matches.value_source(arg.get_id().as_str()) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(_) => arg.get_long().and_then(|flag| set.get(flag)).cloned().map_or(Origin::Default, Origin::Variable),
            None => Origin::Default,
        }
    }

    fn conflict(&self, one: &Arg, other: &Arg) -> bool {
        let names = |arg: &Arg, rival: &Arg| {
            self.command.get_arg_conflicts_with(arg).iter().any(|found| found.get_id() == rival.get_id())
        };
        names(one, other) || names(other, one)
    }
}

fn levels<'a>(command: &'a Command, matches: &'a ArgMatches) -> impl Iterator<Item = Level<'a>> {
    std::iter::successors(Some(Level { command, matches }), |level| {
        let (name, matches) = level.matches.subcommand()?;
        let command = level.command.find_subcommand(name)?;
        Some(Level { command, matches })
    })
}
