//! The main function of a process that serves: settings, telemetry, admin listener, signals and exit code.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser};
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, AdminSettings};
use crate::health::Health;
use crate::settings;
use crate::shutdown::{self, EXIT_TIMEOUT};
use crate::telemetry::logs::{self, LogSettings};
use crate::telemetry::{metrics, spans};
use crate::worker::on_worker;
use crate::{exit, listen};

/// How long blocking work may delay the exit after the consumer has returned.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// What the host passes to a consumer besides its settings.
#[derive(Debug, Clone)]
pub struct Context {
    /// Cancelled when the consumer must drain: finish what is in flight within [`shutdown::DRAIN_TIMEOUT`],
    /// then return.
    pub shutdown: CancellationToken,
    /// The consumer's health. Until it is set, the process is starting.
    pub health: Health,
}

/// Runs a consumer as this process: the whole body of its `main`.
///
/// `T` holds the consumer's own settings; the host adds `--log`, `--log-format` and `--admin-listen`. `run` returns
/// once the consumer has drained, or with the error that stops it.
///
/// The exit code is 0 after `run` returned `Ok`; 2 for a wrong setting, also for a
/// [`SettingError`](exit::SettingError) among the causes of an error of `run`; 1 for any other error, which is
/// logged, and when `run` has not returned 28 s after the signal.
///
/// ```no_run
/// # #[derive(clap::Parser)] struct Settings {}
/// # async fn run(_: Settings, _: millrace_host::process::Context) -> std::io::Result<()> { Ok(()) }
/// fn main() -> std::process::ExitCode {
///     millrace_host::process::main::<Settings, _, _, _>(run)
/// }
/// ```
pub fn main<T, R, F, E>(run: R) -> ExitCode
where
    T: Parser,
    R: FnOnce(T, Context) -> F,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Error + Send + 'static,
{
    let args = settings::parse::<ConsumerProcess<T>>();
    if let Some(code) = args.admin.health_check.run(args.admin.admin_listen, &[]) {
        return code;
    }
    logs::install(&args.logs);
    match host(args, run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if exit::code(&*error) == exit::WRONG_SETTING => exit::report(&*error),
        Err(error) => {
            tracing::error!(error = exit::describe(&*error), "consumer failed");
            ExitCode::from(exit::FAILURE)
        }
    }
}

fn host<T, R, F, E>(args: ConsumerProcess<T>, run: R) -> Result<(), Box<dyn Error>>
where
    T: CommandFactory,
    R: FnOnce(T, Context) -> F,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Error + Send + 'static,
{
    metrics::install()?;
    spans::install(T::command().get_name())?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let shutdown = shutdown::on_signals()?;
        let health = Health::default();

        let listener = listen::bind(args.admin.admin_listen, "admin-listen")?;
        tracing::info!(
            version = crate::version(),
            admin = %listener.local_addr()?,
            "started"
        );
        admin::serve(listener, health.clone());

        let context = Context { shutdown: shutdown.clone(), health: health.clone() };
        tokio::select! {
            outcome = on_worker(run(args.own, context)) => outcome?,
            () = drain_timed_out(&shutdown, &health, EXIT_TIMEOUT) => return Err(NotDrained(EXIT_TIMEOUT).into()),
        }
        tracing::info!("consumer stopped");
        Ok(())
    });
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    spans::shutdown();
    outcome
}

/// Marks the process as draining at the signal, and resolves `limit` later.
async fn drain_timed_out(shutdown: &CancellationToken, health: &Health, limit: Duration) {
    shutdown.cancelled().await;
    health.drain();
    tokio::time::sleep(limit).await;
}

#[derive(Debug, thiserror::Error)]
#[error("still draining {} s after the signal", .0.as_secs())]
struct NotDrained(Duration);

/// A consumer's own settings and the host's, as one command with the consumer's name, description and examples.
struct ConsumerProcess<T> {
    own: T,
    logs: LogSettings,
    admin: AdminSettings,
}

impl<T: Parser> Parser for ConsumerProcess<T> {}

impl<T: CommandFactory> CommandFactory for ConsumerProcess<T> {
    fn command() -> Command {
        with_host_settings(T::command())
    }

    fn command_for_update() -> Command {
        with_host_settings(T::command_for_update())
    }
}

fn with_host_settings(own: Command) -> Command {
    // clap would replace the command's documentation with that of the added settings.
    let about = Resettable::from(own.get_about().cloned());
    let long_about = Resettable::from(own.get_long_about().cloned());
    AdminSettings::augment_args(LogSettings::augment_args(own)).about(about).long_about(long_about)
}

impl<T: FromArgMatches> FromArgMatches for ConsumerProcess<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            own: T::from_arg_matches_mut(matches)?,
            logs: LogSettings::from_arg_matches_mut(matches)?,
            admin: AdminSettings::from_arg_matches_mut(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.own.update_from_arg_matches(matches)?;
        self.logs.update_from_arg_matches(matches)?;
        self.admin.update_from_arg_matches(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_signal_marks_the_process_as_draining() {
        let shutdown = CancellationToken::new();
        let health = Health::default();
        shutdown.cancel();
        drain_timed_out(&shutdown, &health, Duration::ZERO).await;
        assert_eq!(health.report().status, "draining");
    }
}
