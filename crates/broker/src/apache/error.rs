//! Errors of a local Apache Kafka.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use rdkafka::error::KafkaError as RdKafkaError;

use crate::jars::JarsError;

/// A local Apache Kafka failed; all of these need a person.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `java` or `mvn` was not found.
    #[error(
        "`{program}`, which a local Apache Kafka needs, was not found: install {install}, \
         or use a running broker with --kafka HOST:PORT"
    )]
    ProgramMissing {
        /// The name of the program.
        program: String,
        /// The package that has it.
        install: &'static str,
    },
    /// The JVM found cannot run this Kafka.
    #[error("`{program}` is too old for Apache Kafka {version}: install a JDK 17 or newer, or set JAVA_HOME to one")]
    JavaTooOld {
        /// The program found.
        program: String,
        /// The Kafka version to run.
        version: &'static str,
    },
    /// There are no jars.
    #[error(transparent)]
    Jars(JarsError),
    /// An operation on a file or process failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with its path.
        what: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another process runs a cluster on these files.
    #[error("another process runs a broker on the files in {}", folder.display())]
    InUse {
        /// The cluster's folder.
        folder: PathBuf,
    },
    /// The files belong to a cluster of another size, and so to another quorum.
    #[error("{} holds a cluster of {found} brokers, {asked} were asked for: use another folder", folder.display())]
    OtherSize {
        /// The cluster's folder.
        folder: PathBuf,
        /// Brokers found in it.
        found: usize,
        /// Brokers requested.
        asked: usize,
    },
    /// A number of brokers other than one or three.
    #[error("a local cluster has 1 or 3 brokers, {0} were asked for")]
    Size(usize),
    /// No free port was found.
    #[error("no free port was found on 127.0.0.1")]
    NoPort,
    /// A broker exited while its storage was formatted, during its start, or later.
    #[error("broker {broker} exited ({status}); the end of its log:\n{log}")]
    Exited {
        /// The broker's node id.
        broker: i32,
        /// Its exit status.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A broker runs, but no client could use it in time.
    #[error("broker {broker} was not ready within {timeout:?} ({client}); the end of its log:\n{log}")]
    NotReady {
        /// The broker's node id.
        broker: i32,
        /// The time-out.
        timeout: Duration,
        /// The last error of the client that probed it.
        client: String,
        /// The end of its log.
        log: String,
    },
    /// The operation needs a running broker.
    #[error("broker {broker} is not running")]
    NotRunning {
        /// The broker's node id.
        broker: i32,
    },
    /// A broker was started that is running.
    #[error("broker {broker} is already running")]
    Running {
        /// The broker's node id.
        broker: i32,
    },
    /// The Kafka client that probes the brokers could not be created.
    #[error("cannot create a Kafka client: {0}")]
    Client(#[source] RdKafkaError),
}

impl Error {
    /// For `map_err`: what was tried, with the operating system's reason.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

impl From<JarsError> for Error {
    fn from(error: JarsError) -> Self {
        match error {
            JarsError::MavenMissing { .. } => {
                Self::ProgramMissing { program: "mvn".to_owned(), install: "Apache Maven" }
            }
            error => Self::Jars(error),
        }
    }
}
