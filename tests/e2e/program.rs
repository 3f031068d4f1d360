//! Programs of this workspace as child processes.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A running program, killed on drop.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
    /// The readers of both streams.
    readers: Vec<JoinHandle<()>>,
}

/// Time-out of reading the rest of the output: a process left behind may keep the streams open.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(5);

/// The path of a program of this build: `cargo test --workspace` builds them all.
pub(crate) fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("the test runs from target/<profile>/deps");
    let path = profile.join(name);
    assert!(path.exists(), "{} is not built: run cargo test --workspace", path.display());
    path
}

impl Program {
    /// Starts a program of this workspace, with these variables and none of this process's settings.
    pub(crate) fn start(name: &'static str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = spawn(name, args, variables);
        let (stdout, from_stdout) = collect(child.stdout.take().expect("a pipe"));
        let (stderr, from_stderr) = collect(child.stderr.take().expect("a pipe"));
        Self { name, child, stdout, stderr, readers: vec![from_stdout, from_stderr] }
    }

    /// Starts a program whose output has no reader.
    pub(crate) fn start_unread(name: &'static str, args: &[&str]) -> Self {
        let mut child = spawn(name, args, &[]);
        drop((child.stdout.take(), child.stderr.take()));
        Self { name, child, stdout: Arc::default(), stderr: Arc::default(), readers: Vec::new() }
    }

    /// The lines of its standard output so far.
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap().clone()
    }

    /// Its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().join("\n")
    }

    /// Sends SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Sends SIGTERM, and waits for its exit.
    pub(crate) async fn terminate(&mut self, bound: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended(bound).await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("it runs");
        kill_process(pid, signal).expect("it can be signalled");
    }

    /// A child process with this word in its command line.
    pub(crate) fn child_with(&self, word: &str) -> Option<Pid> {
        let parent = self.child.id()?.to_string();
        std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let status = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The state and the parent follow the name, which may have any characters.
            let is_child = status.rsplit_once(')')?.1.split_whitespace().nth(1) == Some(&parent);
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let has_word = command.split(|&byte| byte == 0).any(|argument| argument == word.as_bytes());
            (is_child && has_word).then(|| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)).flatten()
        })
    }

    /// Waits for its exit, and until its output is read.
    pub(crate) async fn ended(&mut self, bound: Duration) -> ExitStatus {
        let ended = timeout(bound, self.child.wait()).await;
        let status = ended.unwrap_or_else(|elapsed| {
            panic!("{} did not end within {bound:?} ({elapsed}); it wrote:\n{}", self.name, self.stderr())
        });
        for reader in self.readers.drain(..) {
            let _ = timeout(OUTPUT_TIMEOUT, reader).await;
        }
        status.expect("its status")
    }

    /// Fails the test where the program has exited.
    pub(crate) fn assert_running(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("{} ended with {status}; it wrote:\n{}", self.name, self.stderr());
        }
    }
}

fn spawn(name: &str, args: &[&str], variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(path(name));
    for (variable, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("KAFKA_") || name.starts_with("MILLRACE_"))
    {
        command.env_remove(variable);
    }
    let command = command.args(args).envs(variables.iter().copied());
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"))
}

fn collect(pipe: impl AsyncRead + Unpin + Send + 'static) -> (Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let reader = tokio::spawn(async move {
        let mut reader = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            sink.lock().unwrap().push(line);
        }
    });
    (lines, reader)
}

/// A free port of this machine, as an address.
pub(crate) fn free_address() -> String {
    let port = millrace_broker::port::free(1, &[]).expect("a free port")[0];
    format!("127.0.0.1:{port}")
}
