//! Child processes that do not outlive this one.
//!
//! A child is started by a shell that first leaves a watchdog behind and then turns into the child (`exec`), so the
//! child is a direct child of this process and there is no moment at which it runs unwatched. The watchdog reads a
//! pipe whose only writer is this process. The kernel closes that writer when this process ends, in whatever way,
//! `SIGKILL` and a static that is never dropped included, and the watchdog then kills the child. An orderly end
//! writes a line first, which sends the watchdog home.
//!
//! The child gets a process group of its own: a Ctrl-C on the terminal reaches this process and not its children,
//! which must still be there while this process drains.

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
/// The watchdog is deaf to the signals that ask for an end: the kernel sends `SIGHUP` to a group that lost its parent
/// while a process of it is stopped, so to the watchdog of a paused child just when it is needed.
/// It says when it is in place, and keeps nothing open but the pipe, of which the child keeps nothing.
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

/// How often an exit is looked for.
const POLL: Duration = Duration::from_millis(10);

/// A child process that is killed when this value is dropped or this process ends.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    watchdog: Option<ChildStdin>,
}

impl Supervised {
    /// Starts `command` (its program, arguments, environment and working directory), its input empty and its output
    /// and errors appended to `output`.
    ///
    /// `scratch` is removed with all that is in it after the child was killed because this process has ended; where
    /// this process ends the child itself, the folder is left alone.
    ///
    /// # Errors
    /// Where no process can be started. A program that does not exist is seen as an exit with status 127.
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
        // A child that was paused before its watchdog was in place would have none.
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

    /// How the child ended, or `None` while it runs.
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

    /// Sends `SIGSTOP`: the child keeps its memory and its connections, and answers nobody.
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

    /// Sends `SIGKILL` and waits for the end. A child that has ended already is fine.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.dismiss_watchdog();
        Ok(status)
    }

    /// Sends `SIGTERM` (after `SIGCONT`, as a paused child hears nothing), waits up to `patience`, then kills.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn stop(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
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
            thread::sleep(POLL);
        }
    }

    /// A pid is only this child's until its exit was collected, so that is asked first.
    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.exited()?.is_some() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the process has ended"));
        }
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    fn dismiss_watchdog(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            // It may be gone already, and then there is nobody to dismiss.
            let _ = watchdog.write_all(b"\n");
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(pid = self.pid(), %error, "a child process could not be killed");
        }
    }
}
