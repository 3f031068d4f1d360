//! Why a local Apache Kafka did not start or did not do as told.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use rdkafka::error::KafkaError as RdKafkaError;

/// What can go wrong with a local Apache Kafka; all of it is for a person to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `java` or `mvn` is not on this machine.
    #[error(
        "`{program}`, which a local Apache Kafka needs, was not found: install {install}, \
         or use a running broker with --kafka HOST:PORT"
    )]
    ProgramMissing {
        /// The program looked for.
        program: String,
        /// What would bring it.
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
    /// Maven did not bring the jars.
    #[error("Maven could not fetch the jars of Apache Kafka ({status}):\n{output}")]
    Jars {
        /// How Maven ended.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// Maven, here or in another process, did not bring the jars in time.
    #[error("the jars of Apache Kafka were not fetched within {bound:?} (into {})", folder.display())]
    JarsLate {
        /// How long they were waited for.
        bound: Duration,
        /// The cache folder.
        folder: PathBuf,
    },
    /// No folder to keep the jars in.
    #[error("no folder to keep the jars of Apache Kafka in: set MILLRACE_CACHE_DIR, XDG_CACHE_HOME or HOME")]
    NoCacheFolder,
    /// A file or process could not be handled.
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
    /// The files belong to a cluster of another size, whose quorum this one cannot join.
    #[error("{} holds a cluster of {found} brokers, {asked} were asked for: use another folder", folder.display())]
    OtherSize {
        /// The cluster's folder.
        folder: PathBuf,
        /// Brokers found in it.
        found: usize,
        /// Brokers asked for.
        asked: usize,
    },
    /// A number of brokers other than one or three.
    #[error("a local cluster has 1 or 3 brokers, {0} were asked for")]
    Size(usize),
    /// No free port was found.
    #[error("no free port was found on 127.0.0.1")]
    NoPort,
    /// A broker ended by itself, while its files were formatted or while it started.
    #[error("broker {broker} ended by itself ({status}); the end of its log:\n{log}")]
    Exited {
        /// The broker's node id.
        broker: i32,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A broker runs, but no client can use it in time.
    #[error("broker {broker} was not ready within {bound:?} ({client}); the end of its log:\n{log}")]
    NotReady {
        /// The broker's node id.
        broker: i32,
        /// How long it was waited for.
        bound: Duration,
        /// What the client that asked it complained of last.
        client: String,
        /// The end of its log.
        log: String,
    },
    /// A broker was told something that only a running one can do.
    #[error("broker {broker} does not run")]
    NotRunning {
        /// The broker's node id.
        broker: i32,
    },
    /// A broker was started that runs already.
    #[error("broker {broker} runs already")]
    Running {
        /// The broker's node id.
        broker: i32,
    },
    /// The Kafka client that looks for the brokers could not be made.
    #[error("the Kafka client was refused: {0}")]
    Client(#[source] RdKafkaError),
}

impl Error {
    /// For `map_err`: what was tried, beside the operating system's reason.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
