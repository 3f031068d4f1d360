//! Apache Kafka on this machine, without Docker.
//!
//! The brokers run in `KRaft` mode, each as broker and controller in one JVM, on 127.0.0.1, plaintext. Maven fetches
//! the jars once (see [`ApacheBuilder::cache`]); a JDK 17 or newer runs them, `$JAVA_HOME/bin/java` or the `java` of
//! `PATH`. A cluster's folder has a folder for each broker with its settings, log and partitions. Started again on the
//! same folder, a cluster keeps its id, its records and, where they are free, its ports.
//!
//! No broker outlives this process: a watchdog kills it (see [`supervise`](crate::supervise)).

mod broker;
mod error;
mod jvm;
mod settings;
mod storage;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub use broker::Broker;
pub use error::Error;

use self::jvm::Jvm;
use self::settings::{Ports, Shared};
use crate::jars::Jars;
use crate::{blocking, port};

/// The version of Apache Kafka.
pub const KAFKA_VERSION: &str = "4.1.0";

/// How long a start or restart may take until clients can use the brokers, without fetching jars and formatting.
pub const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// The broker, and the logging binding of Kafka's own distribution, without which it logs nothing.
const JARS: Jars = Jars { server: "Apache Kafka", name: "kafka", version: KAFKA_VERSION, pom: include_str!("pom.xml") };

/// Namespace of [`Apache::builder`].
#[derive(Debug)]
pub enum Apache {}

impl Apache {
    /// A cluster of one broker in `folder`, which is created if it is missing.
    pub fn builder(folder: impl Into<PathBuf>) -> ApacheBuilder {
        ApacheBuilder {
            folder: folder.into(),
            brokers: 1,
            min_insync_replicas: 1,
            session_timeout: Duration::from_secs(4),
            properties: BTreeMap::new(),
            heap_mib: 512,
            short_lived: false,
            scratch: false,
            cache: None,
        }
    }
}

/// Configuration of a cluster.
#[derive(Clone, Debug)]
pub struct ApacheBuilder {
    folder: PathBuf,
    brokers: usize,
    min_insync_replicas: usize,
    session_timeout: Duration,
    properties: BTreeMap<String, String>,
    heap_mib: u32,
    short_lived: bool,
    scratch: bool,
    cache: Option<PathBuf>,
}

impl ApacheBuilder {
    /// One broker (the default) or three. With three, topics have three replicas by default.
    #[must_use]
    pub fn brokers(mut self, brokers: usize) -> Self {
        self.brokers = brokers;
        self
    }

    /// The default `min.insync.replicas` of topics (default 1).
    #[must_use]
    pub fn min_insync_replicas(mut self, replicas: usize) -> Self {
        self.min_insync_replicas = replicas;
        self
    }

    /// `broker.session.timeout.ms` (default 4 s, Kafka's is 9 s): after it, a silent broker's partitions get other
    /// leaders, and a killed broker can register again.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// A broker setting by Kafka's name; it overrides this crate's.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// The largest heap of each broker in MiB (default 512).
    #[must_use]
    pub fn heap_mib(mut self, mebibytes: u32) -> Self {
        self.heap_mib = mebibytes;
        self
    }

    /// Tunes the JVM for short runs: a faster start and less memory, and less throughput under sustained load.
    #[must_use]
    pub fn short_lived(mut self) -> Self {
        self.short_lived = true;
        self
    }

    /// The folder is temporary: it is removed if this process ends with brokers running.
    #[must_use]
    pub fn scratch(mut self) -> Self {
        self.scratch = true;
        self
    }

    /// The cache folder of the jars, instead of `$MILLRACE_CACHE_DIR`, else `$XDG_CACHE_HOME/millrace`, else
    /// `$HOME/.cache/millrace`. `mvn` fetches missing jars, once for all processes.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Starts the brokers, and returns when clients can use all of them.
    ///
    /// # Errors
    /// [`Error`]; then no broker is left running.
    pub async fn start(self) -> Result<ApacheCluster, Error> {
        blocking(move || self.start_blocking()).await
    }

    fn start_blocking(self) -> Result<ApacheCluster, Error> {
        if self.brokers != 1 && self.brokers != 3 {
            return Err(Error::Size(self.brokers));
        }
        fs::create_dir_all(&self.folder)
            .map_err(Error::io(format!("cannot create the folder {}", self.folder.display())))?;
        let folder = self
            .folder
            .canonicalize()
            .map_err(Error::io(format!("cannot find the folder {}", self.folder.display())))?;
        let lock = lock(&folder)?;
        let jvm = Jvm::new(JARS.class_path(self.cache.as_deref())?, self.heap_mib, self.short_lived);

        let folders: Vec<PathBuf> = (1..=self.brokers).map(|id| folder.join(format!("broker-{id}"))).collect();
        let ports = choose_ports(&folders)?;
        let shared = Shared {
            ports: &ports,
            session_timeout: self.session_timeout,
            min_insync_replicas: self.min_insync_replicas,
            extra: &self.properties,
        };
        storage::check_size(&folder, self.brokers)?;
        for ((folder, &ports), id) in folders.iter().zip(&ports).zip(1..) {
            storage::write_settings(folder, &shared.properties(id, ports))?;
        }
        storage::format(&jvm, &folders)?;

        let scratch = self.scratch.then(|| folder.clone());
        let brokers: Vec<Broker> = folders
            .into_iter()
            .zip(&ports)
            .zip(1..)
            .map(|((folder, ports), id)| Broker::new(id, folder, ports.clients, jvm.clone(), scratch.clone()))
            .collect();
        let deadline = Instant::now() + READY_TIMEOUT;
        for broker in &brokers {
            broker.launch()?;
        }
        let ids: Vec<i32> = brokers.iter().map(Broker::id).collect();
        for broker in &brokers {
            broker.wait_until_ready(&ids, deadline)?;
        }
        Ok(ApacheCluster { brokers, folder, _lock: lock })
    }
}

/// A running cluster. Dropping it kills the brokers; [`stop`](Self::stop) is the graceful way.
#[derive(Debug)]
pub struct ApacheCluster {
    brokers: Vec<Broker>,
    folder: PathBuf,
    _lock: File,
}

impl ApacheCluster {
    /// The bootstrap servers: `127.0.0.1:port` of each broker, separated by commas.
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<&str> = self.brokers.iter().map(Broker::address).collect();
        addresses.join(",")
    }

    /// The brokers in the order of their ids, which count from 1.
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// The broker with this id.
    pub fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.iter().find(|broker| broker.id() == id)
    }

    /// The cluster's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops all brokers gracefully and concurrently, as [`Broker::stop`] does.
    ///
    /// # Errors
    /// Where the operating system refuses. The brokers are killed then.
    pub async fn stop(self) -> Result<(), Error> {
        blocking(move || {
            thread::scope(|scope| {
                let stopping: Vec<_> =
                    self.brokers.iter().map(|broker| scope.spawn(|| broker.stop_blocking())).collect();
                stopping.into_iter().try_for_each(|stopped| match stopped.join() {
                    Ok(outcome) => outcome,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
            })
        })
        .await
    }
}

impl Drop for ApacheCluster {
    fn drop(&mut self) {
        for broker in &self.brokers {
            if let Err(error) = broker.kill() {
                tracing::warn!(broker = broker.id(), %error, "cannot kill a broker");
            }
        }
    }
}

/// Locks the folder: two clusters would corrupt its files. The operating system releases the lock with the process.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("cluster.lock");
    let file = File::create(&path).map_err(Error::io(format!("cannot write {}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io(format!("cannot lock {}", path.display()))(error)),
    }
}

/// The ports of the last run where they are free, so that other clients find the broker again.
fn choose_ports(folders: &[PathBuf]) -> Result<Vec<Ports>, Error> {
    let last: Vec<Ports> =
        folders.iter().filter_map(|folder| settings::ports(&storage::read_settings(folder)?)).collect();
    let preferred: Vec<u16> = last.iter().flat_map(|ports| [ports.clients, ports.controller]).collect();
    let ports = port::free(2 * folders.len(), &preferred).ok_or(Error::NoPort)?;
    Ok(ports.chunks_exact(2).map(|pair| Ports { clients: pair[0], controller: pair[1] }).collect())
}
