//! Opens the database of the setting `--database`.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_store::{Store, StoreError};
use tokio::time::{Instant, sleep};

use crate::exit::SettingError;
use crate::settings::Origins;

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

/// Validates the value of the setting `database` without connecting.
///
/// # Errors
/// [`SettingError`] names the setting as the user wrote it, and what is wrong with it.
pub fn check(url: &str, origins: &Origins) -> Result<(), SettingError> {
    Store::check_url(url).map_err(|error| origins.error("database", error.to_string()))
}

/// Opens the database at `url`, the value of the setting `database`; retries while it is starting.
///
/// # Errors
/// [`OpenError::Setting`] names the setting as the user wrote it, for errors that a retry cannot solve.
pub async fn open(url: &str, origins: &Origins) -> Result<Store, OpenError> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        match Store::connect(url).await {
            Ok(store) => return Ok(store),
            Err(error) if error.class() != ErrorClass::Transient => {
                return Err(OpenError::Setting(origins.error("database", error.to_string())));
            }
            Err(error) if Instant::now() >= deadline => return Err(OpenError::Unreachable(error)),
            Err(error) => {
                tracing::debug!(%error, "database connection failed, retrying");
                sleep(CONNECT_BACKOFF).await;
            }
        }
    }
}
