//! A database for one test.

use std::io::{self, Write as _};
use std::str::FromStr as _;
use std::thread;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::time::timeout;
use uuid::Uuid;

/// How long a drop may take; a test waits for it.
const DROP_BOUND: Duration = Duration::from_secs(10);

/// An empty database that nobody else uses. It is removed when this is dropped, with whoever is still connected.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    server: Option<PgConnectOptions>,
}

impl Database {
    /// Makes one on a server; one that is on a server about to go anyway need not be removed.
    pub(super) async fn create(server: &PgConnectOptions, is_removed: bool) -> Result<Self, sqlx::Error> {
        let name = format!("millrace_test_{}", Uuid::now_v7().simple());
        // Not from the usual template: nobody may be connected to that meanwhile, and it may hold somebody's tables.
        run(server, format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await?;
        let url = server.clone().database(&name).to_url_lossy().into();
        Ok(Self { name, url, server: is_removed.then(|| server.clone()) })
    }

    /// Where clients find it: `postgres://…`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Runs a statement made of names of this process's own.
async fn run(server: &PgConnectOptions, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = server.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

/// Reads a server's URL.
pub(super) fn server(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    PgConnectOptions::from_str(url)
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A test's own runtime cannot be waited for here.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let dropped = runtime.block_on(async { timeout(DROP_BOUND, run(&server, statement)).await });
            dropped.map_err(io::Error::from)?.map_err(io::Error::other)
        });
        if let Ok(Err(error)) = dropping.join() {
            // Where nobody listens, nobody can be told.
            let _ = writeln!(io::stderr(), "the database {} stays behind: {error}", self.name);
        }
    }
}
