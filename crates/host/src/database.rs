//! Opening the database that a setting names.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_store::{Store, StoreError};
use tokio::time::{Instant, sleep};

use crate::exit::SettingError;
use crate::settings::Origins;

/// How long a database may take to answer at the start: it may be starting as well.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(25);

/// From one try to the next.
const PAUSE: Duration = Duration::from_millis(500);

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The setting names none that can be used.
    #[error("{0}")]
    Setting(#[source] SettingError),
    /// It does not answer.
    #[error(transparent)]
    Unreachable(StoreError),
}

/// Looks at the value of the setting `database`, before anything is waited for.
///
/// # Errors
/// [`SettingError`] names the setting as the user wrote it, and what is wrong with it.
pub fn check(url: &str, origins: &Origins) -> Result<(), SettingError> {
    Store::check_url(url).map_err(|error| origins.error("database", error.to_string()))
}

/// Opens the database at `url`, the value of the setting `database`, and waits for one that is starting.
///
/// # Errors
/// [`OpenError::Setting`] names the setting as the user wrote it, where waiting is of no use.
pub async fn open(url: &str, origins: &Origins) -> Result<Store, OpenError> {
    let give_up = Instant::now() + CONNECT_TIMEOUT;
    loop {
        match Store::connect(url).await {
            Ok(store) => return Ok(store),
            Err(error) if error.class() != ErrorClass::Transient => {
                return Err(OpenError::Setting(origins.error("database", error.to_string())));
            }
            Err(error) if Instant::now() >= give_up => return Err(OpenError::Unreachable(error)),
            Err(error) => {
                tracing::debug!(%error, "waiting for the database");
                sleep(PAUSE).await;
            }
        }
    }
}
