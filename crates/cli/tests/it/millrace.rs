//! Runs `millrace` as a child process.

use std::ffi::OsStr;
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Time-out of a command.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output, after asserting that the exit code is 0.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }
}

/// A command to be run in an empty folder, without the environment's variables.
pub(crate) struct Millrace {
    command: Command,
    folder: TempDir,
}

impl Millrace {
    pub(crate) fn new<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command.args(args).env_clear().current_dir(folder.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, folder }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Writes a file into the folder it runs in.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Standard input.
    pub(crate) fn input(mut self, bytes: &[u8]) -> Self {
        let path = self.folder.path().join("input");
        std::fs::write(&path, bytes).unwrap();
        self.command.stdin(File::open(path).unwrap());
        self
    }

    /// Starts it with all three standard streams on a terminal.
    pub(crate) fn start_on(mut self, terminal: &File) -> (Child, TempDir) {
        let stream = || terminal.try_clone().unwrap();
        self.command.stdin(stream()).stdout(stream()).stderr(stream());
        (self.command.spawn().unwrap(), self.folder)
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Ended {
        self.start().end().await
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            stderr.read_to_string(&mut text).await.unwrap();
            text
        });
        Running { child, lines, stderr, _folder: self.folder }
    }
}

/// A running command, killed on drop.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stderr: tokio::task::JoinHandle<String>,
    _folder: TempDir,
}

impl Running {
    /// The next line it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(TIMEOUT, self.lines.next_line()).await;
        line.expect("a line in time").unwrap().expect("a line before the end")
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the exit; returns the output that was not yet read by [`line`](Self::line).
    pub(crate) async fn end(mut self) -> Ended {
        let rest = async {
            let mut stdout = String::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                stdout.push_str(&line);
                stdout.push('\n');
            }
            (stdout, self.child.wait().await.unwrap())
        };
        let (stdout, status) = timeout(TIMEOUT, rest).await.expect("the command ends in time");
        Ended { code: status.code(), stdout, stderr: self.stderr.await.unwrap() }
    }

    /// Closes its standard output, and waits for the exit.
    pub(crate) async fn close_stdout(self) -> Option<i32> {
        let Self { mut child, lines, .. } = self;
        drop(lines);
        timeout(TIMEOUT, child.wait()).await.expect("the command ends in time").unwrap().code()
    }
}
