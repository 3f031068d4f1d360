//! `notifier.toml`: parsed, validated as a whole, and resolved into a [`Plan`].

mod channel;
mod destination;
mod error;
mod fallback;
mod file;
mod limits;
mod source;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(crate) use self::channel::ChannelPlan;
pub(crate) use self::destination::DestinationPlan;
pub use self::error::ConfigError;
use self::source::Environment;
use crate::routes::Routes;
use crate::settings::Settings;

/// The default configuration, which is also the documentation of all settings.
pub const DEFAULT_CONFIG: &str = include_str!("../../notifier.toml");

/// The validated configuration, from which the notifier is built.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The destinations. Routes and chains refer to them by index.
    pub(crate) destinations: Vec<DestinationPlan>,
    /// The fallback chain of each destination: itself, then its fallbacks in order.
    pub(crate) chains: Vec<Vec<usize>>,
    /// The routes.
    pub(crate) routes: Routes,
}

impl Plan {
    /// Loads the file or the text that is set, or the default without one.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the key and the problem.
    pub(crate) fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let (file, text) = match (&settings.notifier_config, &settings.notifier_config_text) {
            (Some(path), _) => {
                let file = path.display().to_string();
                let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(&file, &error))?;
                (file, Cow::Owned(text))
            }
            (None, Some(text)) => ("notifier.toml".to_owned(), Cow::Borrowed(&**text)),
            (None, None) => ("notifier.toml (the default)".to_owned(), Cow::Borrowed(DEFAULT_CONFIG)),
        };
        Self::parse(&text, &|name| std::env::var_os(name)).map_err(|problem| problem.in_file(&file))
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
