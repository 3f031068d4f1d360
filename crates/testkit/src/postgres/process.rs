//! A PostgreSQL server as a child process that does not outlive this one.
//!
//! A shell leaves a watchdog behind and then turns into the server. The watchdog reads a pipe whose only writer is this
//! process; when the kernel closes that, because this process has ended in whatever way, it ends the server by
//! `SIGQUIT` and removes its files. A `SIGKILL` would leave a segment of System V shared memory behind each time.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// `$1` is the folder to remove after the end, the rest is the command. The watchdog says when it is in place, and is
/// deaf to the signals that ask for an end.
const WATCHED: &str = r#"
exec 3<&0
server=$$
scratch=$1
shift
(
    trap '' HUP INT QUIT TERM
    echo ready
    exec >/dev/null 2>&1
    read -r _ <&3 && exit 0
    kill -QUIT "$server"
    tries=100
    while [ "$tries" -gt 0 ] && kill -0 "$server"; do
        sleep 0.1
        tries=$((tries - 1))
    done
    kill -KILL "$server"
    rm -rf -- "$scratch"
) &
exec 3<&-
exec "$@" </dev/null >&2
"#;

const POLL: Duration = Duration::from_millis(10);

/// How long a server may take to end. It has little to write.
const STOP_BOUND: Duration = Duration::from_secs(30);

/// A running server; it is ended when this is dropped or this process ends.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    watchdog: Option<ChildStdin>,
}

impl Process {
    /// Starts the server; its output goes to `log`, and `scratch` is removed should this process end before it.
    pub(super) fn spawn(command: &Command, log: File, scratch: &Path) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", WATCHED, "sh"])
            .arg(scratch)
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0);
        let mut child = shell.spawn()?;
        let ready = child.stdout.take();
        let process = Self { watchdog: child.stdin.take(), child };
        let mut line = String::new();
        if let Some(ready) = ready {
            BufReader::new(ready).read_line(&mut line)?;
        }
        if line.is_empty() {
            return Err(io::Error::other("the watchdog of a server did not start"));
        }
        Ok(process)
    }

    /// How it ended, or `None` while it runs.
    pub(super) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends it a signal that ends it, and waits for that.
    pub(super) fn end(&mut self, signal: Signal) -> io::Result<()> {
        let deadline = Instant::now() + STOP_BOUND;
        if self.exited()?.is_none() {
            kill_process(Pid::from_child(&self.child), signal)?;
        }
        while self.exited()?.is_none() {
            if Instant::now() >= deadline {
                self.child.kill()?;
                self.child.wait()?;
                return Err(io::Error::other(format!("the server did not end within {STOP_BOUND:?}")));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // In a drop there is nobody to tell.
        let _ = self.end(Signal::QUIT);
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.write_all(b"\n");
        }
    }
}
