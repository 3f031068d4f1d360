//! PostgreSQL migrations, by one process at a time under an advisory lock that is waited for with a time-out.
//!
//! The lock belongs to a session. Migrations have a session of their own that always ends with them, so that a failed
//! migration leaves no lock behind.

use sqlx::migrate::Migrate as _;
use sqlx::{Connection as _, PgConnection};

use crate::error::is_lock_timeout;
use crate::{StoreError, migrations};

/// How long to wait for the migration lock. Callers that wait for a database retry.
const LOCK_TIMEOUT: &str = "5s";

/// How long a migration statement waits for a table lock. Its execution has no time-out.
const STATEMENT_LOCK_TIMEOUT: &str = "10s";

/// Sessions that hold the advisory lock of a 64-bit key in this database. Non-superusers see only the pid, user and
/// application of other users' sessions.
const HOLDERS: &str = "
    SELECT string_agg(format('pid %s (user %s, application %s, client %s, %s since %s)', pid, usename,
                             quote_literal(application_name), coalesce(host(client_addr), 'unknown'),
                             coalesce(state, 'unknown'), coalesce(state_change::text, 'unknown')), ', ')
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((classid::bigint << 32) | objid::bigint) = $1";

/// Why a migration failed.
pub(super) enum Error {
    /// Other sessions hold the migration lock.
    Locked(String),
    /// A statement failed.
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Error {
    pub(super) fn opening(self, url: &str) -> StoreError {
        match self {
            Self::Locked(by) => StoreError::NotMigrated {
                url: url.to_owned(),
                reason: format!(
                    "its migration lock was held for {LOCK_TIMEOUT} by {by}; end a stuck session with \
                     pg_terminate_backend(pid)"
                ),
            },
            Self::Sql(error) => StoreError::opening(url)(error),
        }
    }
}

/// Runs the migrations that are missing, and ends the session.
pub(super) async fn run(mut connection: PgConnection) -> Result<(), Error> {
    let migrated = migrate(&mut connection).await;
    let closed = connection.close().await;
    migrated?;
    Ok(closed?)
}

async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
    lock(connection).await?;
    set_lock_timeout(connection, STATEMENT_LOCK_TIMEOUT).await?;
    Ok(migrations::run(&migrations::postgres(), connection).await?)
}

/// Takes the lock under which every version of this program migrates; sqlx then takes it again.
async fn lock(connection: &mut PgConnection) -> Result<(), Error> {
    set_lock_timeout(connection, LOCK_TIMEOUT).await?;
    match connection.lock().await.map_err(|error| sqlx::Error::Migrate(Box::new(error))) {
        Err(error) if is_lock_timeout(&error) => Err(Error::Locked(holders(connection).await?)),
        locked => Ok(locked?),
    }
}

async fn holders(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut *connection).await?;
    let holders: Option<String> = sqlx::query_scalar(HOLDERS).bind(lock_key(&database)).fetch_one(connection).await?;
    // The holder may have ended since.
    Ok(holders.unwrap_or_else(|| "another session".to_owned()))
}

/// The key that sqlx locks while it migrates a database.
fn lock_key(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32fast::hash(database.as_bytes()))
}

async fn set_lock_timeout(connection: &mut PgConnection, timeout: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('lock_timeout', $1, false)").bind(timeout).execute(connection).await.map(drop)
}
