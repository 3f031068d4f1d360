//! The main function of every consumer's container: its settings, Kafka and the database, then the consumer.

use std::marker::PhantomData;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser};
use millrace_consumer::ConsumerOptions;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::settings::Security;
use millrace_kafka::{KafkaSettings, Producer};

use crate::app::{AppEnv, AppError, ConsumerApp, SettingsContext, Started};
#[cfg(feature = "database")]
use crate::app::{DatabaseUse, check_database};
#[cfg(feature = "database")]
use crate::database::{self, DatabaseArgs};
use crate::health::Status;
use crate::process::{self, Context};
#[cfg(feature = "database")]
use crate::retention::Retention;
use crate::settings::bootstrap_servers;

/// How long a broker may take to answer at the start.
const BROKER_TIMEOUT: Duration = Duration::from_secs(25);

/// Where files go that nothing else names a place for.
const DATA_DIR: &str = ".millrace";

/// Runs a consumer as this process: all of its `main`.
///
/// To the consumer's own settings come those of Kafka, of the runtime, of the database it uses, and what every
/// [process](crate::process::main) has.
///
/// ```ignore
/// fn main() -> std::process::ExitCode {
///     millrace_host::consumer::main::<Payments>()
/// }
/// ```
pub fn main<A: ConsumerApp>() -> ExitCode {
    process::main(run::<A>)
}

/// Runs the consumer until it has drained, or until it cannot go on.
async fn run<A: ConsumerApp>(args: CommandLine<A>, context: Context) -> Result<(), AppError> {
    let Context { shutdown, health } = context;
    let context = SettingsContext { data_dir: Path::new(DATA_DIR), is_local: false };
    let app = A::build(args.own, &context)?;
    #[cfg(feature = "database")]
    {
        args.database.check()?;
        check_database(A::NAME, A::DATABASE, args.database.url().is_some())?;
        args.retention.check(args.database.url().is_some())?;
    }

    health.set("kafka", Status::Starting);
    health.set(A::NAME, Status::Starting);
    #[cfg(feature = "database")]
    if args.database.url().is_some() {
        health.set("database", Status::Starting);
    }
    let kafka = KafkaSettings { security: args.kafka.security, ..KafkaSettings::plaintext(args.kafka.kafka) };
    let admin = AdminClient::new(&kafka)?;
    let Some(metadata) = shutdown.run_until_cancelled(admin.overview(BROKER_TIMEOUT)).await else { return Ok(()) };
    let brokers = metadata?.brokers;
    tracing::debug!(brokers, "Kafka answers");
    health.set("kafka", Status::Ok);
    let dead_letters = Producer::new(&kafka, &ProducerSettings::default())?;

    #[cfg(feature = "database")]
    let store = match args.database.url() {
        None => None,
        Some(url) => {
            let Some(store) = shutdown.run_until_cancelled(database::open(url)).await else { return Ok(()) };
            let store = store.map_err(AppError::start)?;
            health.set("database", Status::Ok);
            Some(store)
        }
    };
    let env = AppEnv {
        kafka,
        admin,
        dead_letters,
        options: args.kafka.options,
        #[cfg(feature = "database")]
        store: store.clone(),
        #[cfg(feature = "database")]
        retention: args.retention,
        shutdown: shutdown.clone(),
    };
    let Some(started) = shutdown.run_until_cancelled(app.start(env)).await else { return Ok(()) };
    let Started { members, mut end } = started?;
    let outcome = tokio::select! {
        outcome = &mut end => outcome,
        () = Started::joined(&members) => {
            health.set(A::NAME, Status::Ok);
            end.await
        }
    };
    #[cfg(feature = "database")]
    if let Some(store) = store {
        store.close().await;
    }
    Ok(outcome?)
}

/// The settings of Kafka and the consumer runtime.
#[derive(Debug, Clone, Args)]
struct KafkaArgs {
    /// The Kafka brokers, separated by commas
    #[arg(long, value_name = "HOST:PORT,…", value_parser = bootstrap_servers)]
    kafka: String,
    #[command(flatten)]
    security: Security,
    #[command(flatten)]
    options: ConsumerOptions,
}

/// A container's command line: the consumer's own settings and the host's.
struct CommandLine<A: ConsumerApp> {
    own: A::Settings,
    kafka: KafkaArgs,
    #[cfg(feature = "database")]
    database: DatabaseArgs,
    #[cfg(feature = "database")]
    retention: Retention,
    app: PhantomData<A>,
}

impl<A: ConsumerApp> Parser for CommandLine<A> {}

impl<A: ConsumerApp> CommandFactory for CommandLine<A> {
    fn command() -> Command {
        let name = format!("millrace-{}", A::NAME);
        let mut command = KafkaArgs::augment_args(Command::new(name.clone()));
        #[cfg(feature = "database")]
        if A::DATABASE != DatabaseUse::None {
            command = Retention::augment_args(DatabaseArgs::augment_args(command));
        }
        command = A::Settings::augment_args(command);
        // Added settings bring their own documentation with them: the consumer's comes last.
        command.bin_name(name).about(A::ABOUT).long_about(None).version(crate::version()).after_help(A::EXAMPLES)
    }

    fn command_for_update() -> Command {
        Self::command()
    }
}

impl<A: ConsumerApp> FromArgMatches for CommandLine<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        #[cfg(feature = "database")]
        let (database, retention) = if A::DATABASE == DatabaseUse::None {
            (DatabaseArgs::default(), Retention::default())
        } else {
            (DatabaseArgs::from_arg_matches_mut(matches)?, Retention::from_arg_matches_mut(matches)?)
        };
        Ok(Self {
            own: A::Settings::from_arg_matches_mut(matches)?,
            kafka: KafkaArgs::from_arg_matches_mut(matches)?,
            #[cfg(feature = "database")]
            database,
            #[cfg(feature = "database")]
            retention,
            app: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
