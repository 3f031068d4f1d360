//! An execution environment: a process, and the Runtime API that serves it alone.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use millrace_broker::supervise::Supervised;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Failure, Function, runtime_api};

/// AWS's limit of the init phase, which ends with the first `next`.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time between two checks for an exit of the process.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// An execution environment. It is killed when this is dropped.
#[derive(Debug)]
pub struct Environment {
    started: Instant,
    concurrency: usize,
    freezes: bool,
    output: NamedTempFile,
    state: Mutex<State>,
    init: watch::Sender<Init>,
    inbox: mpsc::UnboundedSender<Invocation>,
    runtime_api: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    process: Supervised,
    is_frozen: bool,
    /// Invocations in flight.
    in_flight: usize,
    /// Pending `next` requests.
    pending_next: usize,
    responses: HashMap<String, oneshot::Sender<Result<Bytes, Value>>>,
}

/// The state of the init phase.
#[derive(Clone, Debug)]
enum Init {
    Running,
    Done(Startup),
    Failed(Value),
}

/// The cost of a cold start.
#[derive(Clone, Copy, Debug)]
pub struct Startup {
    /// From before the creation of the process until its first `next`: the init phase, and about a millisecond for the
    /// watchdog's shell.
    pub to_first_next: Duration,
    /// Its resident memory by then, in bytes.
    pub resident: u64,
}

/// An invocation to be delivered to the process.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: String,
    /// In milliseconds since the Unix epoch.
    pub(super) deadline: u128,
    pub(super) event: Bytes,
}

impl Environment {
    /// Starts the process.
    pub(super) fn start(function: &Function) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let output = NamedTempFile::new()?;
        let command = command(function, address);
        let started = Instant::now();
        let process = Supervised::spawn(&command, output.reopen()?, None)?;
        let state = State { process, is_frozen: false, in_flight: 0, pending_next: 0, responses: HashMap::new() };
        let (inbox, events) = mpsc::unbounded_channel();
        Ok(Arc::new_cyclic(|this| Self {
            started,
            concurrency: function.concurrency,
            freezes: function.freezes,
            output,
            state: Mutex::new(state),
            init: watch::Sender::new(Init::Running),
            inbox,
            runtime_api: tokio::spawn(runtime_api::serve(listener, this.clone(), events)),
        }))
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.state().process.pid()
    }

    /// Whether its process runs or is frozen.
    pub fn is_alive(&self) -> bool {
        matches!(self.state().process.exited(), Ok(None))
    }

    /// Whether its process is frozen until the next invocation.
    pub fn is_frozen(&self) -> bool {
        self.state().is_frozen
    }

    /// The cost of its start, once known.
    pub fn startup(&self) -> Option<Startup> {
        if let Init::Done(startup) = *self.init.borrow() { Some(startup) } else { None }
    }

    /// The resident memory of its process in bytes; 0 if it has exited.
    pub fn resident(&self) -> u64 {
        memory(self.pid(), RESIDENT)
    }

    /// The most resident memory that its process had, in bytes; 0 if it has exited.
    pub fn peak_resident(&self) -> u64 {
        memory(self.pid(), "VmHWM:")
    }

    /// The output and errors of its process so far.
    ///
    /// # Panics
    /// Where the file cannot be read.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.output.path()).unwrap_or_else(|error| panic!("cannot read the log: {error}"));
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Kills its process, as AWS does after a time-out and when it removes an environment.
    ///
    /// # Panics
    /// Where the operating system refuses.
    pub fn kill(&self) {
        self.state().process.kill().unwrap_or_else(|error| panic!("cannot kill the process: {error}"));
    }

    /// Reserves an invocation in it, and resumes its process; `None` if it is at its concurrency.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.state();
        if state.in_flight == self.concurrency {
            return None;
        }
        if state.is_frozen {
            state.process.resume().ok()?;
            state.is_frozen = false;
        }
        state.in_flight += 1;
        Some(Lease(Arc::clone(self)))
    }

    /// The process waits in `next` until the guard is dropped.
    pub(super) fn next_pending(self: &Arc<Self>) -> PendingNext {
        let pid = self.pid();
        self.init.send_if_modified(|init| {
            let is_first = matches!(init, Init::Running);
            if is_first {
                *init = Init::Done(Startup { to_first_next: self.started.elapsed(), resident: memory(pid, RESIDENT) });
            }
            is_first
        });
        let mut state = self.state();
        state.pending_next += 1;
        state.freeze_if_idle(self.freezes);
        drop(state);
        PendingNext(Arc::downgrade(self))
    }

    /// The process reported that its init failed.
    pub(super) fn init_failed(&self, report: Value) {
        self.init.send_replace(Init::Failed(report));
    }

    /// The process responded; `false` if no such invocation is in flight.
    pub(super) fn respond(&self, id: &str, response: Result<Bytes, Value>) -> bool {
        let caller = self.state().responses.remove(id);
        caller.is_some_and(|caller| caller.send(response).is_ok())
    }

    async fn initialised(&self) -> Result<(), Failure> {
        let mut init = self.init.subscribe();
        let done = init.wait_for(|init| !matches!(init, Init::Running));
        let reason = tokio::select! {
            done = done => match done.as_deref() {
                Ok(Init::Failed(reason)) => reason.clone(),
                _ => return Ok(()),
            },
            status = self.exited() => format!("the process exited with {status}").into(),
            () = tokio::time::sleep(INIT_TIMEOUT) => format!("no first `next` within {INIT_TIMEOUT:?}").into(),
        };
        // Its log is complete once it has exited.
        if tokio::time::timeout(Duration::from_secs(1), self.exited()).await.is_err() {
            self.kill();
        }
        Err(Failure::Init { reason, log: self.log() })
    }

    async fn exited(&self) -> String {
        loop {
            match self.state().process.exited() {
                Ok(None) => {}
                Ok(Some(status)) => return status.to_string(),
                Err(error) => return error.to_string(),
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn freeze_if_idle(&mut self, freezes: bool) {
        if freezes && self.in_flight == 0 && self.pending_next > 0 && !self.is_frozen {
            // Pausing fails if the process has just exited.
            self.is_frozen = self.process.pause().is_ok();
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.runtime_api.abort();
    }
}

/// A reserved invocation in an environment.
pub(super) struct Lease(Arc<Environment>);

impl Lease {
    pub(super) async fn invoke(&self, event: Bytes, timeout: Duration) -> Result<Bytes, Failure> {
        let environment = &self.0;
        environment.initialised().await?;
        let id = Uuid::now_v7().to_string();
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + timeout;
        let (sender, received) = oneshot::channel();
        environment.state().responses.insert(id.clone(), sender);
        // Cannot fail: the Runtime API's server holds the receiver as long as the environment lives.
        let _ = environment.inbox.send(Invocation { id, deadline: deadline.as_millis(), event });
        tokio::select! {
            biased;
            Ok(response) = received => response.map_err(Failure::Reported),
            status = environment.exited() => Err(Failure::Exited { status, log: environment.log() }),
            () = tokio::time::sleep(timeout) => {
                environment.kill();
                Err(Failure::TimedOut(timeout))
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.freeze_if_idle(self.0.freezes);
    }
}

/// A pending `next` request. It does not keep the environment alive.
pub(super) struct PendingNext(Weak<Environment>);

impl Drop for PendingNext {
    fn drop(&mut self) {
        if let Some(environment) = self.0.upgrade() {
            environment.state().pending_next -= 1;
        }
    }
}

/// The process gets the environment variables of AWS and the function, and none of this process.
fn command(function: &Function, runtime_api: SocketAddr) -> Command {
    let mut command = Command::new(&function.binary);
    for (name, _) in std::env::vars_os() {
        command.env_remove(name);
    }
    let folder = function.binary.parent().map_or_else(String::new, |folder| folder.display().to_string());
    let sandbox = [
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", NAME.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{NAME}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", Uuid::now_v7().simple().to_string()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("LAMBDA_TASK_ROOT", folder),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
    ];
    command.envs(sandbox);
    if function.concurrency > 1 {
        command.env("AWS_LAMBDA_MAX_CONCURRENCY", function.concurrency.to_string());
    }
    command.envs(function.variables.iter().map(|(name, value)| (name, value)));
    command
}

const NAME: &str = "function-under-test";
const REGION: &str = "us-east-1";

/// The function's ARN.
pub(super) const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:function-under-test";

/// The resident memory of a process, by its name in `/proc/PID/status`.
const RESIDENT: &str = "VmRSS:";

/// A process's memory of this name there, in bytes.
fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kilobytes| kilobytes * 1024)
}
