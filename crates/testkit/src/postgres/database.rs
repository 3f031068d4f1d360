//! A database for one test.

use std::io::{self, Write as _};
use std::str::FromStr as _;
use std::thread;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::time::timeout;
use uuid::Uuid;

/// How long a test waits for its database to be dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// An empty database for one test. Dropping this drops it, with its open connections.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    server: Option<PgConnectOptions>,
}

impl Database {
    /// Creates one on a server; `is_removed` is not needed on a server that ends with the test.
    pub(super) async fn create(server: &PgConnectOptions, is_removed: bool) -> Result<Self, sqlx::Error> {
        let name = format!("millrace_test_{}", Uuid::now_v7().simple());
        // Not from template1: that must have no connections meanwhile, and may contain tables.
        run(server, format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await?;
        let url = server.clone().database(&name).to_url_lossy().into();
        Ok(Self { name, url, server: is_removed.then(|| server.clone()) })
    }

    /// Its URL: `postgres://…`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Runs a statement with names that this process has made.
async fn run(server: &PgConnectOptions, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = server.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

/// Parses a server's URL.
pub(super) fn server(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    PgConnectOptions::from_str(url)
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A drop cannot block on the test's own runtime.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let dropped = runtime.block_on(async { timeout(DROP_TIMEOUT, run(&server, statement)).await });
            dropped.map_err(io::Error::from)?.map_err(io::Error::other)
        });
        if let Ok(Err(error)) = dropping.join() {
            // Standard error may be closed.
            let _ = writeln!(io::stderr(), "cannot drop the database {}: {error}", self.name);
        }
    }
}
