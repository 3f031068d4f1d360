//! What is wrong with a configuration, and where.

use std::fmt::Display;
use std::io;

use thiserror::Error;

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}: {place}{separator}{problem}", separator = if place.is_empty() { "" } else { ": " })]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// The key, such as `destinations.ops.url`, or the line; empty for the file as a whole.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

/// What is wrong in a file that has no name yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigProblem {
    place: String,
    problem: String,
}

impl ConfigError {
    pub(super) fn unreadable(file: &str, error: &io::Error) -> Self {
        Self { file: file.to_owned(), place: String::new(), problem: format!("cannot be read: {error}") }
    }
}

impl ConfigProblem {
    pub(super) fn at(place: impl Into<String>, problem: impl Display) -> Self {
        Self { place: place.into(), problem: problem.to_string() }
    }

    /// A fault of the TOML itself.
    pub(super) fn toml(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
        Self::at(line.map(|line| format!("line {line}")).unwrap_or_default(), error.message().trim_end())
    }

    /// A fault of a table that was taken out of its file at this key.
    pub(super) fn table(key: &str, error: &serde_path_to_error::Error<toml::de::Error>) -> Self {
        let path = error.path();
        let place = if path.iter().len() == 0 { key.to_owned() } else { format!("{key}.{path}") };
        Self::at(place, error.inner().message().trim_end())
    }

    pub(super) fn of(self, file: &str) -> ConfigError {
        ConfigError { file: file.to_owned(), place: self.place, problem: self.problem }
    }
}
