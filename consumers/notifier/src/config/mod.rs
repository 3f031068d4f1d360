//! `notifier.toml`: read, checked as a whole, and made into a plan.
//!
//! | file | its one idea |
//! |---|---|
//! | `file` | the file's shape |
//! | `destination` | one `[destinations.NAME]` |
//! | `channel` | the settings of each type of destination |
//! | `limits` | the settings of `limits` |
//! | `source` | what a setting may come from: the file or the environment |
//! | `fallback` | who is tried after whom |
//! | `error` | what is wrong, and where |

mod channel;
mod destination;
mod error;
mod fallback;
mod file;
mod limits;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;

pub(crate) use self::channel::ChannelPlan;
pub(crate) use self::destination::DestinationPlan;
pub use self::error::ConfigError;
use self::source::Environment;
use crate::routes::Routes;

/// The default configuration, which is also the documentation of all settings.
pub const DEFAULT_CONFIG: &str = include_str!("../../notifier.toml");

/// Everything the notifier does, ready to be built.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The destinations; routes and chains know them by their place here.
    pub(crate) destinations: Vec<DestinationPlan>,
    /// For each destination: itself and its fallbacks, in the order they are tried.
    pub(crate) chains: Vec<Vec<usize>>,
    /// What goes where.
    pub(crate) routes: Routes,
}

impl Plan {
    /// Reads the file, or the default where there is none.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the key and what is wrong.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let environment: Environment<'_> = &|name| std::env::var(name).ok();
        let Some(path) = path else {
            return Self::parse(DEFAULT_CONFIG, environment).map_err(|fault| fault.of("notifier.toml (the default)"));
        };
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(&file, &error))?;
        Self::parse(&text, environment).map_err(|fault| fault.of(&file))
    }

    fn parse(text: &str, environment: Environment<'_>) -> Result<Self, error::ConfigProblem> {
        let file = file::File::parse(text)?;
        let destinations = file
            .destinations
            .into_iter()
            .map(|(name, table)| DestinationPlan::read(name, table, environment))
            .collect::<Result<Vec<_>, _>>()?;
        let chains = fallback::chains(&destinations)?;
        let routes = file::routes(file.routes, &destinations)?;
        Ok(Self { destinations, chains, routes })
    }
}
