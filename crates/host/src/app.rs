//! What a consumer is to the processes that host it: containers, `millrace consume` and `millrace dev` start every
//! consumer in the same way.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use futures_util::FutureExt as _;
pub use futures_util::future::BoxFuture;
use futures_util::future::join_all;
use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Progress, Subscription};
use millrace_kafka::admin::AdminClient;
use millrace_kafka::{KafkaError, KafkaSettings, Producer};
#[cfg(feature = "database")]
use millrace_store::Store;
use tokio_util::sync::CancellationToken;

use crate::exit::SettingError;
#[cfg(feature = "database")]
use crate::retention::Retention;

/// A consumer as a program. It is built from its settings before anything is started, so that a wrong setting ends the
/// process at once, and started when Kafka and the database have answered.
pub trait ConsumerApp: Sized + Send + 'static {
    /// The consumer's name, as users write it; its container is `millrace-<name>`.
    const NAME: &'static str;
    /// What it does, in one line of `--help`.
    const ABOUT: &'static str;
    /// Examples of its container's command line.
    const EXAMPLES: &'static str;
    /// Whether it uses a database.
    const DATABASE: DatabaseUse;

    /// Its own settings.
    type Settings: Args + Send;

    /// What it reads, and as which groups.
    fn subscriptions() -> Vec<Subscription>;

    /// Whether `millrace dev`, which runs every consumer, runs it: not where it has no destination on a laptop unless one is set.
    fn is_wanted(_settings: &Self::Settings) -> bool {
        true
    }

    /// Builds it from its settings. Metrics must have been installed before, or its own are not recorded.
    ///
    /// # Errors
    /// [`AppError::Setting`] names a wrong setting; [`AppError::Start`] what else it cannot do without.
    fn build(settings: Self::Settings, context: &SettingsContext<'_>) -> Result<Self, AppError>;

    /// Starts it, within a Tokio runtime. Boxed, so that the consumer is compiled in its own crate, and not again in
    /// every program that awaits this.
    ///
    /// # Errors
    /// [`AppError`] where it cannot run.
    fn start(self, env: AppEnv) -> BoxFuture<'static, Result<Started, AppError>>;
}

/// Whether a consumer uses a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseUse {
    /// It has no use for one.
    None,
    /// It runs without one, and promises less.
    Optional,
    /// It does not run without one.
    Required,
}

/// What settings are read with.
#[derive(Debug, Clone, Copy)]
pub struct SettingsContext<'s> {
    /// Where files go that nothing else names a place for.
    pub data_dir: &'s Path,
    /// Whether this is a laptop's process (`millrace dev`), which may deliver to the laptop itself.
    pub is_local: bool,
}

/// What a consumer gets from the process that hosts it.
#[derive(Debug, Clone)]
pub struct AppEnv {
    /// How to reach Kafka, which has answered.
    pub kafka: KafkaSettings,
    /// Queries to Kafka.
    pub admin: AdminClient,
    /// Writes dead letters.
    pub dead_letters: Producer,
    /// How much is done at once, and how often it is tried.
    pub options: ConsumerOptions,
    /// The database, where there is one.
    #[cfg(feature = "database")]
    pub store: Option<Store>,
    /// For how long the database keeps rows.
    #[cfg(feature = "database")]
    pub retention: Retention,
    /// Cancelled when the consumer must drain.
    pub shutdown: CancellationToken,
}

impl AppEnv {
    /// A consumer, ready to run.
    pub fn consumer(&self, subscription: Subscription, options: ConsumerOptions) -> Consumer {
        Consumer::new(self.kafka.clone(), subscription, options, self.dead_letters.clone())
    }

    /// The database of a consumer that does not run without one.
    ///
    /// # Errors
    /// There is none, which [`check_database`] finds earlier and names better.
    #[cfg(feature = "database")]
    pub fn required_store(&self) -> Result<Store, AppError> {
        self.store.clone().ok_or_else(|| SettingError::of_flag("database", "is needed").into())
    }
}

/// A consumer that runs as long as it is polled.
pub struct Started {
    /// Its memberships in groups, in the order of its subscriptions.
    pub members: Vec<Arc<Progress>>,
    /// Ends once the consumer has drained.
    pub end: BoxFuture<'static, Result<(), ConsumerError>>,
}

impl Started {
    /// A consumer that is a member of one group.
    pub fn new(progress: Arc<Progress>, end: impl Future<Output = Result<(), ConsumerError>> + Send + 'static) -> Self {
        Self { members: vec![progress], end: end.boxed() }
    }

    /// Waits until the groups have assigned these members their partitions.
    pub async fn joined(members: &[Arc<Progress>]) {
        join_all(members.iter().map(|member| member.joined())).await;
    }
}

/// Why a consumer's process ends other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A setting is wrong.
    #[error("{0}")]
    Setting(#[source] SettingError),
    /// The consumer cannot start.
    #[error("{0}")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Kafka cannot be reached or used.
    #[error(transparent)]
    Kafka(KafkaError),
    /// The consumer ended by itself.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
}

impl AppError {
    /// For `map_err`: the consumer cannot start.
    pub fn start(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Start(Box::new(error))
    }
}

impl From<SettingError> for AppError {
    fn from(error: SettingError) -> Self {
        Self::Setting(error)
    }
}

impl From<KafkaError> for AppError {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::Setting { name, value, reason } if value.is_empty() => {
                Self::Setting(SettingError::new(name, reason))
            }
            KafkaError::Setting { name, value, reason } => {
                Self::Setting(SettingError::new(name, format!("cannot be {value:?}: {reason}")))
            }
            other => Self::Kafka(other),
        }
    }
}

/// Whether a consumer has the database that it needs.
///
/// # Errors
/// [`SettingError`] where there is none.
pub fn check_database(name: &str, usage: DatabaseUse, has_database: bool) -> Result<(), SettingError> {
    if usage == DatabaseUse::Required && !has_database {
        let problem = format!("the {name} needs a database: name one, such as postgres://USER@HOST/NAME");
        return Err(SettingError::of_flag("database", problem));
    }
    Ok(())
}
