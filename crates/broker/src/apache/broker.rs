//! One broker of a local cluster, with fault injection: pause, kill, restart.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::jvm::Jvm;
use super::{Error, READY_TIMEOUT, storage};
use crate::blocking;
use crate::log;
use crate::probe::Probe;
use crate::supervise::Supervised;

/// How long a graceful stop may take. Without a quorum a broker would retry its controlled shutdown for minutes.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// The time between two checks of a broker that is starting.
const READY_INTERVAL: Duration = Duration::from_millis(20);

/// The time between two checks of a running broker.
const LIVENESS_INTERVAL: Duration = Duration::from_millis(500);

/// A broker, running or not. Clones share it; it ends with its cluster.
#[derive(Clone, Debug)]
pub struct Broker(Arc<State>);

#[derive(Debug)]
struct State {
    id: i32,
    folder: PathBuf,
    address: String,
    jvm: Jvm,
    scratch: Option<PathBuf>,
    process: Mutex<Option<Supervised>>,
}

impl Broker {
    pub(super) fn new(id: i32, folder: PathBuf, port: u16, jvm: Jvm, scratch: Option<PathBuf>) -> Self {
        let address = format!("{}:{port}", Ipv4Addr::LOCALHOST);
        Self(Arc::new(State { id, folder, address, jvm, scratch, process: Mutex::new(None) }))
    }

    /// Its node id.
    pub fn id(&self) -> i32 {
        self.0.id
    }

    /// Its address, `127.0.0.1:port`; the same after a restart.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running().as_ref().map(Supervised::pid)
    }

    /// Freezes it (`SIGSTOP`): connections stay open, and requests get no answer.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Supervised::pause)
    }

    /// Resumes it (`SIGCONT`).
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Supervised::resume)
    }

    /// Kills it (`SIGKILL`), like a crash of its process: connections are reset, and a restart finds what it had
    /// written. A no-op if it does not run.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn kill(&self) -> Result<(), Error> {
        match self.process().take() {
            Some(mut process) => process.kill().map(drop).map_err(self.cannot("kill")),
            None => Ok(()),
        }
    }

    /// Stops it gracefully (`SIGTERM`): it first moves its partition leaderships. After 15 s it is killed. A no-op if
    /// it does not run.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub async fn stop(&self) -> Result<(), Error> {
        let broker = self.clone();
        blocking(move || broker.stop_blocking()).await
    }

    /// Starts it again on its port and its files after [`kill`](Self::kill) or [`stop`](Self::stop), and returns
    /// when a client can use it. After a kill it can register only when its old session has expired.
    ///
    /// # Errors
    /// [`Error::Running`], [`Error::Exited`] and [`Error::NotReady`].
    pub async fn restart(&self) -> Result<(), Error> {
        let broker = self.clone();
        blocking(move || {
            broker.launch()?;
            broker.wait_until_ready(&[broker.id()], Instant::now() + READY_TIMEOUT)
        })
        .await
    }

    /// Waits until it has exited, or does not run.
    pub async fn ended(&self) -> Error {
        let mut interval = tokio::time::interval(LIVENESS_INTERVAL);
        loop {
            interval.tick().await;
            if let Err(error) = self.check_alive() {
                return error;
            }
        }
    }

    pub(super) fn stop_blocking(&self) -> Result<(), Error> {
        let process = self.process().take();
        match process {
            Some(mut process) => process.stop(STOP_TIMEOUT).map(drop).map_err(self.cannot("stop")),
            None => Ok(()),
        }
    }

    pub(super) fn launch(&self) -> Result<(), Error> {
        let mut process = self.running();
        if process.is_some() {
            return Err(Error::Running { broker: self.id() });
        }
        let path = self.0.folder.join(storage::JVM_OUTPUT);
        let output = File::create(&path).map_err(Error::io(format!("cannot write {}", path.display())))?;
        let command = self.0.jvm.broker(&self.0.folder);
        let child =
            Supervised::spawn(&command, output, self.0.scratch.as_deref()).map_err(Error::io("cannot start a JVM"))?;
        *process = Some(child);
        Ok(())
    }

    /// Waits until this broker's metadata names all brokers in `expected`. A broker answers clients only after it has
    /// registered with the cluster, so its answer proves that it is ready.
    pub(super) fn wait_until_ready(&self, expected: &[i32], deadline: Instant) -> Result<(), Error> {
        let probe = Probe::new(self.address()).map_err(Error::Client)?;
        loop {
            if probe.brokers().is_ok_and(|seen| expected.iter().all(|id| seen.contains(id))) {
                return Ok(());
            }
            self.check_alive()?;
            if Instant::now() >= deadline {
                let log = log::tail(&self.0.folder.join(storage::BROKER_LOG));
                self.kill()?;
                return Err(Error::NotReady {
                    broker: self.id(),
                    timeout: READY_TIMEOUT,
                    client: probe.last_error(),
                    log,
                });
            }
            thread::sleep(READY_INTERVAL);
        }
    }

    fn check_alive(&self) -> Result<(), Error> {
        let mut process = self.process();
        let Some(running) = process.as_mut() else { return Err(Error::NotRunning { broker: self.id() }) };
        let Some(status) = running.exited().map_err(self.cannot("wait for"))? else { return Ok(()) };
        *process = None;
        let [output, broker_log] = [storage::JVM_OUTPUT, storage::BROKER_LOG].map(|name| self.0.folder.join(name));
        Err(self.0.jvm.exit_error(self.id(), status, &output, Some(&broker_log)))
    }

    fn signal(&self, send: impl FnOnce(&mut Supervised) -> std::io::Result<()>) -> Result<(), Error> {
        let mut process = self.running();
        let running = process.as_mut().ok_or(Error::NotRunning { broker: self.id() })?;
        send(running).map_err(self.cannot("signal"))
    }

    fn cannot(&self, verb: &str) -> impl FnOnce(std::io::Error) -> Error {
        Error::io(format!("cannot {verb} broker {}", self.id()))
    }

    /// The process; `None` if it has exited.
    fn running(&self) -> MutexGuard<'_, Option<Supervised>> {
        let mut process = self.process();
        if process.as_mut().is_some_and(|process| matches!(process.exited(), Ok(Some(_)))) {
            *process = None;
        }
        process
    }

    /// Ignores poisoning: after a panic the process must still be killed.
    fn process(&self) -> MutexGuard<'_, Option<Supervised>> {
        self.0.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
