//! A real PostgreSQL for tests.
//!
//! ```no_run
//! # async fn test() {
//! use millrace_testkit::Postgres;
//!
//! let Some(postgres) = Postgres::shared().await else { return };
//! let database = postgres.database().await;
//! let url = database.url(); // an empty database, dropped with `database`
//! # }
//! ```
//!
//! The first that is available: the server in `DATABASE_URL`, if it is PostgreSQL; a container, where a Docker engine
//! answers and has or can pull the image; the installed programs `initdb` and `postgres`. Without any, a test prints
//! that it is skipped, and fails if `CI` is set.
//!
//! One server serves all tests of a binary, so each uses its own [`Database`]. Tests that inject faults start their own
//! ([`Postgres::dedicated`]). No server outlives the test process, however that ends.

mod database;
mod process;
mod programs;
mod server;

use std::env;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use self::programs::Programs;
use self::server::Server;
use crate::blocking::blocking;
use crate::docker::{Container, Docker, Service};
use crate::missing::skip;

pub use database::Database;

/// How long a server may take to start on a busy machine.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// The time-out of one connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A PostgreSQL to test against.
#[derive(Debug)]
pub struct Postgres {
    server: PgConnectOptions,
    origin: Origin,
}

/// Where the server comes from. Dropping it ends the server.
#[derive(Debug)]
enum Origin {
    /// Not started by this process.
    Environment,
    /// A container of this process.
    Container { _container: Container },
    /// A server of this process.
    Programs(Arc<Server>),
}

impl Postgres {
    /// The server of this test binary; `None` if none is available and the test is to be skipped, which is printed.
    ///
    /// # Panics
    /// If none is available and `CI` is set; if one does not start.
    pub async fn shared() -> Option<&'static Self> {
        static SHARED: OnceCell<Result<Postgres, String>> = OnceCell::const_new();
        let found = SHARED.get_or_init(Self::find).await;
        found.as_ref().map_err(|reason| skip(NAME, reason)).ok()
    }

    /// A server from the installed programs for this test alone, which it may [`stop`](Self::stop),
    /// [`crash`](Self::crash) and [`start`](Self::start) again. `None` and panics as in [`shared`](Self::shared).
    pub async fn dedicated() -> Option<Self> {
        match Programs::find() {
            Ok(programs) => Some(Self::of_programs(programs, true).await),
            Err(missing) => {
                skip(NAME, &missing);
                None
            }
        }
    }

    /// Creates an empty database for one test.
    ///
    /// # Panics
    /// Where the server refuses it.
    pub async fn database(&self) -> Database {
        // A dedicated server ends with its test, and its databases with it.
        let is_removed = !matches!(&self.origin, Origin::Programs(server) if server.is_owned());
        let created = Database::create(&self.server, is_removed).await;
        created.unwrap_or_else(|error| panic!("cannot create a database: {error}"))
    }

    /// Stops a [`dedicated`](Self::dedicated) server by a fast shutdown (`SIGINT`): open transactions are rolled back,
    /// connections end with an error.
    ///
    /// # Panics
    /// If this process has not started it, or it does not end.
    pub async fn stop(&self) {
        self.end(Signal::INT).await;
    }

    /// Ends a [`dedicated`](Self::dedicated) server by an immediate shutdown (`SIGQUIT`): nothing is flushed, and the
    /// next start recovers from the write-ahead log.
    ///
    /// # Panics
    /// If this process has not started it, or it does not end.
    pub async fn crash(&self) {
        self.end(Signal::QUIT).await;
    }

    /// Starts a [`dedicated`](Self::dedicated) server again, on its port and with its data; returns when it answers.
    ///
    /// # Panics
    /// If this process has not started it, or it does not start.
    pub async fn start(&self) {
        let server = self.own();
        blocking(move || server.start()).await.unwrap_or_else(|error| panic!("cannot start PostgreSQL: {error}"));
        self.wait_until_ready().await;
    }

    async fn end(&self, signal: Signal) {
        let server = self.own();
        blocking(move || server.end(signal)).await.unwrap_or_else(|error| panic!("cannot stop PostgreSQL: {error}"));
    }

    fn own(&self) -> Arc<Server> {
        match &self.origin {
            Origin::Programs(server) => Arc::clone(server),
            Origin::Environment | Origin::Container { .. } => panic!("this process has not started this PostgreSQL"),
        }
    }

    async fn find() -> Result<Self, String> {
        let named = env::var("DATABASE_URL").ok().filter(|url| url.starts_with("postgres"));
        if let Some(url) = named {
            let server = database::server(&url).unwrap_or_else(|error| panic!("invalid DATABASE_URL: {error}"));
            let postgres = Self { server, origin: Origin::Environment };
            postgres.wait_until_ready().await;
            return Ok(postgres);
        }
        let no_docker = match Docker::new("docker").run(service).await {
            Ok(container) => {
                let server = server_at(container.port());
                let postgres = Self { server, origin: Origin::Container { _container: container } };
                postgres.wait_until_ready().await;
                return Ok(postgres);
            }
            Err(reason) => reason,
        };
        match Programs::find() {
            Ok(programs) => Ok(Self::of_programs(programs, false).await),
            Err(missing) => Err(format!("DATABASE_URL names no PostgreSQL; {no_docker}; {missing}")),
        }
    }

    async fn of_programs(programs: Programs, is_owned: bool) -> Self {
        let started = blocking(move || Server::start_new(programs, is_owned)).await;
        let server = started.unwrap_or_else(|error| panic!("cannot start PostgreSQL: {error}"));
        let postgres = Self { server: server_at(server.port()), origin: Origin::Programs(Arc::new(server)) };
        postgres.wait_until_ready().await;
        postgres
    }

    async fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            let answer = timeout(CONNECT_TIMEOUT, async { self.server.connect().await?.close().await }).await;
            let reason = match answer {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer in {CONNECT_TIMEOUT:?}"),
            };
            if let Origin::Programs(server) = &self.origin
                && let Some(ended) = server.ended()
            {
                panic!("{ended}");
            }
            assert!(Instant::now() < deadline, "PostgreSQL is not ready within {READY_TIMEOUT:?}: {reason}");
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// Its name in the message of a skipped test.
const NAME: &str = "PostgreSQL";

fn service(_: u16) -> Service {
    Service {
        image: "postgres:17-alpine".to_owned(),
        port: 5432,
        environment: vec![("POSTGRES_HOST_AUTH_METHOD", "trust".to_owned())],
        arguments: vec!["-c", "fsync=off", "-c", "max_connections=200"],
    }
}

/// A server of this process, without authentication.
fn server_at(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&Ipv4Addr::LOCALHOST.to_string())
        .port(port)
        .username("postgres")
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
}
