//! Configuration errors: the file, the key and the problem.

use std::fmt::Display;
use std::io;

use thiserror::Error;

/// An invalid configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}: {location}{separator}{problem}", separator = if location.is_empty() { "" } else { ": " })]
pub struct ConfigError {
    /// The file, as the user named it.
    pub file: String,
    /// The key, such as `destinations.ops.url`, or the line; empty for the file as a whole.
    pub location: String,
    /// The problem.
    pub problem: String,
}

/// A problem at a key, without the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigProblem {
    location: String,
    problem: String,
}

impl ConfigError {
    pub(super) fn unreadable(file: &str, error: &io::Error) -> Self {
        Self { file: file.to_owned(), location: String::new(), problem: format!("cannot be read: {error}") }
    }
}

impl ConfigProblem {
    pub(super) fn at(location: impl Into<String>, problem: impl Display) -> Self {
        Self { location: location.into(), problem: problem.to_string() }
    }

    /// An error of the TOML parser.
    pub(super) fn toml(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
        Self::at(line.map(|line| format!("line {line}")).unwrap_or_default(), error.message().trim_end())
    }

    /// An error in the table at this key.
    pub(super) fn table(key: &str, error: &serde_path_to_error::Error<toml::de::Error>) -> Self {
        let path = error.path();
        let location = if path.iter().len() == 0 { key.to_owned() } else { format!("{key}.{path}") };
        Self::at(location, error.inner().message().trim_end())
    }

    pub(super) fn in_file(self, file: &str) -> ConfigError {
        ConfigError { file: file.to_owned(), location: self.location, problem: self.problem }
    }
}
