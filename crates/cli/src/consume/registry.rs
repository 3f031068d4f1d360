//! The consumers this program holds. To add one: its line in [`CONSUMERS`].

use clap::{ArgMatches, Args, Command, FromArgMatches};
use futures_util::future::BoxFuture;
use millrace_consumer::Subscription;
use millrace_event_store::EventStoreApp;
use millrace_host::app::{AppEnv, AppError, ConsumerApp, DatabaseUse, SettingsContext, Started, check_database};
use millrace_host::exit::SettingError;
use millrace_host::retention::Retention;
use millrace_log_indexer::LogIndexer;
use millrace_log_shipper::LogShipper;
use millrace_login_insights::LoginInsights;
use millrace_notifier::Notifier;
use millrace_payments::Payments;

use crate::replay;

/// All of them.
pub(crate) const CONSUMERS: &[Registered] = &[
    Registered::of::<Notifier>(),
    Registered::of::<EventStoreApp>(),
    Registered::of::<Payments>(),
    Registered::of::<LoginInsights>(),
    Registered::of::<LogShipper>(),
    Registered::of::<LogIndexer>(),
];

/// A consumer that can be started by its name.
pub(crate) struct Registered {
    /// Its name, as users write it.
    pub(crate) name: &'static str,
    /// What it reads, and as which groups.
    pub(crate) subscriptions: fn() -> Vec<Subscription>,
    database: DatabaseUse,
    augment_args: fn(Command) -> Command,
    build: fn(&'static Self, &ArgMatches, &SettingsContext<'_>) -> Result<Option<Built>, AppError>,
}

/// A consumer that is ready to be started.
pub(crate) struct Built {
    /// What it is.
    pub(crate) consumer: &'static Registered,
    start: Box<dyn FnOnce(AppEnv) -> BoxFuture<'static, Result<Started, AppError>> + Send>,
}

impl Built {
    /// Starts it.
    ///
    /// # Errors
    /// [`AppError`] where it cannot run.
    pub(crate) async fn start(self, env: AppEnv) -> Result<Started, AppError> {
        (self.start)(env).await
    }
}

impl Registered {
    const fn of<A: ConsumerApp>() -> Self {
        Self {
            name: A::NAME,
            subscriptions: A::subscriptions,
            database: A::DATABASE,
            augment_args: A::Settings::augment_args,
            build: build::<A>,
        }
    }
}

fn build<A: ConsumerApp>(
    consumer: &'static Registered,
    matches: &ArgMatches,
    context: &SettingsContext<'_>,
) -> Result<Option<Built>, AppError> {
    let settings = A::Settings::from_arg_matches(matches).map_err(AppError::start)?;
    if context.is_local && !A::is_wanted(&settings) {
        return Ok(None);
    }
    let app = A::build(settings, context)?;
    Ok(Some(Built { consumer, start: Box::new(|env| app.start(env)) }))
}

/// The consumers' own settings, whichever of them run.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerSettings {
    matches: ArgMatches,
    /// For how long the database keeps rows.
    pub(crate) retention: Retention,
}

impl ConsumerSettings {
    /// Whether there is a database for those that need one, and for what is set of it.
    ///
    /// # Errors
    /// [`SettingError`] where there is none.
    pub(crate) fn check_database(&self, built: &[Built], has_database: bool) -> Result<(), SettingError> {
        self.retention.check(has_database)?;
        built
            .iter()
            .try_for_each(|Built { consumer, .. }| check_database(consumer.name, consumer.database, has_database))
    }

    /// Builds the consumers that `is_chosen` names, so that a wrong setting is found before anything is started.
    ///
    /// # Errors
    /// [`AppError`] of the first that cannot be built.
    pub(crate) fn build(
        &self,
        is_chosen: impl Fn(&str) -> bool,
        context: &SettingsContext<'_>,
    ) -> Result<Vec<Built>, AppError> {
        let chosen = CONSUMERS.iter().filter(|consumer| is_chosen(consumer.name));
        chosen.filter_map(|consumer| (consumer.build)(consumer, &self.matches, context).transpose()).collect()
    }
}

impl Args for ConsumerSettings {
    fn augment_args(command: Command) -> Command {
        let command = Retention::augment_args(command);
        CONSUMERS.iter().fold(command, |command, consumer| (consumer.augment_args)(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ConsumerSettings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { matches: matches.clone(), retention: Retention::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The groups that parts of this program read as.
pub(crate) fn groups() -> impl Iterator<Item = String> {
    let subscriptions = CONSUMERS.iter().flat_map(|consumer| (consumer.subscriptions)());
    subscriptions.map(|subscription| subscription.group).chain([replay::GROUP.to_owned()])
}

/// The topics that a consumer of this program reads as this group; none for other groups.
pub(crate) fn topics_of_group(group: &str) -> Vec<String> {
    let subscriptions = CONSUMERS.iter().flat_map(|consumer| (consumer.subscriptions)());
    subscriptions
        .filter(|subscription| subscription.group == group)
        .flat_map(|subscription| subscription.topics)
        .collect()
}

#[cfg(test)]
mod tests {
    use millrace_domain::catalogue::catalogue;

    use super::*;

    #[test]
    fn consumers_are_distinct_and_as_the_catalogue_says() {
        for (index, consumer) in CONSUMERS.iter().enumerate() {
            assert!(CONSUMERS[..index].iter().all(|other| other.name != consumer.name));
            for subscription in (consumer.subscriptions)() {
                assert_eq!(subscription.group, format!("millrace-{}", subscription.name));
                assert!(subscription.name.starts_with(consumer.name));
                let known = catalogue().consumers.iter().find(|known| known.name == subscription.name);
                assert_eq!(known.map(|known| &known.reads), Some(&subscription.topics));
            }
        }
    }
}
