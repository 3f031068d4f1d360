//! One execution environment: a process, and the Runtime API that it alone talks to.

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

/// The phase before the first `next` may take this long on AWS.
const INIT: Duration = Duration::from_secs(10);

/// How often a process is looked at, to see whether it has ended.
const POLL: Duration = Duration::from_millis(5);

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
    /// How many invocations it was given and has not answered.
    busy: usize,
    /// How many `next` it waits in.
    polls: usize,
    answers: HashMap<String, oneshot::Sender<Result<Bytes, Value>>>,
}

/// How far init is.
#[derive(Clone, Debug)]
enum Init {
    Running,
    Done(Startup),
    Failed(Value),
}

/// What a start cost.
#[derive(Clone, Copy, Debug)]
pub struct Startup {
    /// From before the process was created until its first `next`: init, as AWS bills it, and about a millisecond for
    /// the shell that watches over the process.
    pub to_first_next: Duration,
    /// What it held of the machine's memory by then, in bytes.
    pub resident: u64,
}

/// An event on its way to the process.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: String,
    /// In milliseconds since 1970.
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
        let state = State { process, is_frozen: false, busy: 0, polls: 0, answers: HashMap::new() };
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

    /// Whether its process runs, or would but for its being frozen.
    pub fn is_alive(&self) -> bool {
        matches!(self.state().process.exited(), Ok(None))
    }

    /// Whether it is stopped until the next invocation.
    pub fn is_frozen(&self) -> bool {
        self.state().is_frozen
    }

    /// What its start cost, once that is known.
    pub fn startup(&self) -> Option<Startup> {
        if let Init::Done(startup) = *self.init.borrow() { Some(startup) } else { None }
    }

    /// What its process holds of the machine's memory now, in bytes; 0 where it has ended.
    pub fn resident(&self) -> u64 {
        resident(self.pid())
    }

    /// What its process has written to its output and errors so far.
    ///
    /// # Panics
    /// Where the file cannot be read.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.output.path()).unwrap_or_else(|error| panic!("no log: {error}"));
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Kills its process, as AWS does at a time-out and when it takes an environment away.
    ///
    /// # Panics
    /// Where the operating system refuses.
    pub fn kill(&self) {
        self.state().process.kill().unwrap_or_else(|error| panic!("it cannot be killed: {error}"));
    }

    /// Takes a place in it, and thaws it; `None` where it is busy.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.state();
        if state.busy == self.concurrency {
            return None;
        }
        if state.is_frozen {
            state.process.resume().ok()?;
            state.is_frozen = false;
        }
        state.busy += 1;
        Some(Lease(Arc::clone(self)))
    }

    /// The process waits in `next` while what is returned lives.
    pub(super) fn poll(self: &Arc<Self>) -> Poll {
        let pid = self.pid();
        self.init.send_if_modified(|init| {
            let is_first = matches!(init, Init::Running);
            if is_first {
                *init = Init::Done(Startup { to_first_next: self.started.elapsed(), resident: resident(pid) });
            }
            is_first
        });
        let mut state = self.state();
        state.polls += 1;
        state.freeze_if_idle(self.freezes);
        drop(state);
        Poll(Arc::downgrade(self))
    }

    /// The process cannot do its work.
    pub(super) fn init_failed(&self, report: Value) {
        self.init.send_replace(Init::Failed(report));
    }

    /// The process has answered; `false` where nobody waits for that answer.
    pub(super) fn answered(&self, id: &str, answer: Result<Bytes, Value>) -> bool {
        let waiting = self.state().answers.remove(id);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    async fn initialised(&self) -> Result<(), Failure> {
        let mut init = self.init.subscribe();
        let done = init.wait_for(|init| !matches!(init, Init::Running));
        let reason = tokio::select! {
            done = done => match done.as_deref() {
                Ok(Init::Failed(reason)) => reason.clone(),
                _ => return Ok(()),
            },
            status = self.exited() => format!("the process ended with {status}").into(),
            () = tokio::time::sleep(INIT) => format!("there was no first `next` within {INIT:?}").into(),
        };
        // Its log is complete when it has ended.
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
            tokio::time::sleep(POLL).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn freeze_if_idle(&mut self, freezes: bool) {
        if freezes && self.busy == 0 && self.polls > 0 && !self.is_frozen {
            // A process that has just ended needs no freezing.
            self.is_frozen = self.process.pause().is_ok();
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.runtime_api.abort();
    }
}

/// A place in an environment.
pub(super) struct Lease(Arc<Environment>);

impl Lease {
    pub(super) async fn invoke(&self, event: Bytes, time_out: Duration) -> Result<Bytes, Failure> {
        let environment = &self.0;
        environment.initialised().await?;
        let id = Uuid::now_v7().to_string();
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + time_out;
        let (answer, answered) = oneshot::channel();
        environment.state().answers.insert(id.clone(), answer);
        // The Runtime API's server holds the other end as long as the environment lives.
        let _ = environment.inbox.send(Invocation { id, deadline: deadline.as_millis(), event });
        tokio::select! {
            biased;
            Ok(answer) = answered => answer.map_err(Failure::Reported),
            status = environment.exited() => Err(Failure::Exited { status, log: environment.log() }),
            () = tokio::time::sleep(time_out) => {
                environment.kill();
                Err(Failure::TimedOut(time_out))
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy -= 1;
        state.freeze_if_idle(self.0.freezes);
    }
}

/// A `next` that waits. It does not keep the environment: nobody may come any more.
pub(super) struct Poll(Weak<Environment>);

impl Drop for Poll {
    fn drop(&mut self) {
        if let Some(environment) = self.0.upgrade() {
            environment.state().polls -= 1;
        }
    }
}

/// The process sees what it would see on AWS, and nothing of this one's environment.
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

/// The function's name in full.
pub(super) const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:function-under-test";

/// As `/proc` tells it, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kilobytes| kilobytes * 1024)
}
