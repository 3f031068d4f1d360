//! Opens the database of the setting `--database`.

use std::time::Duration;

use clap::Args;
use millrace_domain::ErrorClass;
use millrace_store::{Store, StoreError};
use tokio::time::{Instant, sleep};

use crate::exit::SettingError;

/// Time-out of the first connection: the database may be starting as well.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(25);

/// Back-off between connection attempts.
const CONNECT_BACKOFF: Duration = Duration::from_millis(500);

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The setting is wrong.
    #[error("{0}")]
    Setting(#[source] SettingError),
    /// It cannot be reached within the time-out.
    #[error(transparent)]
    Unreachable(StoreError),
}

/// The setting of every process that uses a database.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// The database: a PostgreSQL or SQLite URL, such as `postgres://USER@HOST/NAME`
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl DatabaseArgs {
    /// The URL that was set.
    pub fn url(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Checks the URL, before anything is waited for.
    ///
    /// # Errors
    /// [`SettingError`] says what is wrong with it.
    pub fn check(&self) -> Result<(), SettingError> {
        let check = |url| Store::check_url(url).map_err(|error| SettingError::of_flag("database", error.to_string()));
        self.url().map_or(Ok(()), check)
    }
}

/// Opens the database at `url`, the value of `--database`; retries while it is starting.
///
/// # Errors
/// [`OpenError::Setting`] for errors that a retry cannot solve.
pub async fn open(url: &str) -> Result<Store, OpenError> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        match Store::connect(url).await {
            Ok(store) => return Ok(store),
            Err(error) if error.class() != ErrorClass::Transient => {
                return Err(OpenError::Setting(SettingError::of_flag("database", error.to_string())));
            }
            Err(error) if Instant::now() >= deadline => return Err(OpenError::Unreachable(error)),
            Err(error) => {
                tracing::debug!(%error, "database connection failed, retrying");
                sleep(CONNECT_BACKOFF).await;
            }
        }
    }
}
