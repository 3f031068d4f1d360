//! A PostgreSQL server as a supervised child process.
//!
//! A shell starts a watchdog in the background and then replaces itself by the server. The watchdog reads a pipe whose
//! only writer is this process; when the kernel closes that, however this process ends, it ends the server by `SIGQUIT`
//! and removes its files. A `SIGKILL` would leave a System V shared memory segment behind each time.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// `$1` is the folder to remove after the end, the rest is the command. The watchdog prints a line when it is ready,
/// and ignores termination signals.
const WATCHDOG: &str = r#"
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

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long a server may take to end; it has little to write.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A running server; it ends when this is dropped or this process ends.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    watchdog: Option<ChildStdin>,
}

impl Process {
    /// Starts the server; its output goes to `log`, and the watchdog removes `scratch` if this process ends first.
    pub(super) fn spawn(command: &Command, log: File, scratch: &Path) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", WATCHDOG, "sh"])
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

    /// Its exit status, or `None` while it runs.
    pub(super) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends a signal that ends it, and waits for the exit.
    pub(super) fn end(&mut self, signal: Signal) -> io::Result<()> {
        let deadline = Instant::now() + STOP_TIMEOUT;
        if self.exited()?.is_none() {
            kill_process(Pid::from_child(&self.child), signal)?;
        }
        while self.exited()?.is_none() {
            if Instant::now() >= deadline {
                self.child.kill()?;
                self.child.wait()?;
                return Err(io::Error::other(format!("the server did not end within {STOP_TIMEOUT:?}")));
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A drop cannot return the error.
        let _ = self.end(Signal::QUIT);
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.write_all(b"\n");
        }
    }
}
