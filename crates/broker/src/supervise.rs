//! Supervised child processes: they do not outlive this process.
//!
//! A shell first starts a watchdog in the background and then replaces itself by the child (`exec`), so the child is a
//! direct child of this process and never runs without its watchdog. The watchdog reads a pipe whose only writer is
//! this process. The kernel closes that writer however this process ends, `SIGKILL` and statics that are never dropped
//! included, and the watchdog then kills the child. After a regular end of the child a line dismisses the watchdog.
//!
//! The child has a process group of its own: a Ctrl-C on the terminal reaches this process and not its children, which
//! must keep running while this process drains.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// `$1` is the folder to remove after a kill by the watchdog (empty: none), the rest is the command.
///
/// The watchdog ignores termination signals: the kernel sends `SIGHUP` to an orphaned process group with a stopped
/// process, and so to the watchdog of a paused child just when it is needed. It prints a line when it is ready, and
/// keeps only the pipe open, which the child closes.
const WATCHDOG: &str = r#"
exec 3<&0
watched=$$
scratch=$1
shift
(
    trap '' HUP INT TERM
    echo ready
    exec >/dev/null 2>&1
    read -r _ <&3 && exit 0
    kill -KILL "$watched"
    [ -n "$scratch" ] || exit 0
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$watched" || break
        sleep 0.1
    done
    rm -rf -- "$scratch"
) &
exec 3<&-
exec "$@" </dev/null >&2
"#;

/// The exit status of a child whose program does not exist.
pub const NO_SUCH_PROGRAM: i32 = 127;

/// The time between two checks for an exit.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A child process that is killed when this value is dropped or this process ends.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    watchdog: Option<ChildStdin>,
}

impl Supervised {
    /// Starts `command` (its program, arguments, environment and working directory) with empty input, and its output
    /// and errors appended to `output`.
    ///
    /// The watchdog removes the folder `scratch` after it has killed the child; nothing else removes it.
    ///
    /// # Errors
    /// If no process can be started. A program that does not exist exits with status [`NO_SUCH_PROGRAM`].
    pub fn spawn(command: &Command, output: File, scratch: Option<&Path>) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", WATCHDOG, "sh"])
            .arg(scratch.unwrap_or(Path::new("")))
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .process_group(0);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let mut child = shell.spawn()?;
        let ready = child.stdout.take();
        let supervised = Self { watchdog: child.stdin.take(), child };
        // Wait for the watchdog: a child paused before it is ready would not be watched.
        let mut line = String::new();
        if let Some(ready) = ready {
            BufReader::new(ready).read_line(&mut line)?;
        }
        if line.is_empty() {
            return Err(io::Error::other("the watchdog of a child process did not start"));
        }
        Ok(supervised)
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status of the child, or `None` while it runs.
    ///
    /// # Errors
    /// Where the operating system cannot say.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.dismiss_watchdog();
        }
        Ok(status)
    }

    /// Sends `SIGSTOP`: the child keeps its memory and connections, and answers nothing.
    ///
    /// # Errors
    /// Where the child has ended.
    pub fn pause(&mut self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Sends `SIGCONT` after [`pause`](Self::pause).
    ///
    /// # Errors
    /// Where the child has ended.
    pub fn resume(&mut self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends `SIGKILL` and waits for the exit. A no-op if the child has exited.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.dismiss_watchdog();
        Ok(status)
    }

    /// Sends `SIGTERM` (after `SIGCONT`, since a paused child handles no signal), waits up to `timeout`, then kills.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn stop(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + timeout;
        if self.exited()?.is_none() {
            self.signal(Signal::CONT)?;
            self.signal(Signal::TERM)?;
        }
        loop {
            if let Some(status) = self.exited()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return self.kill();
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// The pid may be reused once the exit was collected, so that is checked first.
    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.exited()?.is_some() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the process has ended"));
        }
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    fn dismiss_watchdog(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            // Fails if the watchdog has exited already.
            let _ = watchdog.write_all(b"\n");
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(pid = self.pid(), %error, "cannot kill a child process");
        }
    }
}
