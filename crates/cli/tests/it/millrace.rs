//! Running the command.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a command may take that has its work before it.
const BOUND: Duration = Duration::from_mins(1);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// What it printed, of a run that ended well.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }
}

/// A command about to be run, in an empty folder and without the environment's settings.
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

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
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

    /// Gives it these bytes to read.
    pub(crate) fn input(mut self, bytes: &[u8]) -> Self {
        let path = self.folder.path().join("input");
        std::fs::write(&path, bytes).unwrap();
        self.command.stdin(File::open(path).unwrap());
        self
    }

    /// Starts it with its three streams on a terminal.
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

/// A command that runs. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stderr: tokio::task::JoinHandle<String>,
    _folder: TempDir,
}

impl Running {
    /// The next line it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(BOUND, self.lines.next_line()).await;
        line.expect("a line in time").unwrap().expect("a line before the end")
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end and gives what it printed that was not taken line by line.
    pub(crate) async fn end(mut self) -> Ended {
        let rest = async {
            let mut stdout = String::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                stdout.push_str(&line);
                stdout.push('\n');
            }
            (stdout, self.child.wait().await.unwrap())
        };
        let (stdout, status) = timeout(BOUND, rest).await.expect("the command ends in time");
        Ended { code: status.code(), stdout, stderr: self.stderr.await.unwrap() }
    }

    /// Stops reading what it prints, and waits for its end.
    pub(crate) async fn close_stdout(self) -> Option<i32> {
        let Self { mut child, lines, .. } = self;
        drop(lines);
        timeout(BOUND, child.wait()).await.expect("the command ends in time").unwrap().code()
    }
}
