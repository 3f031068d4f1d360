//! A server of this process from PostgreSQL's installed programs.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_broker::port;
use rustix::process::Signal;
use tempfile::TempDir;

use super::process::Process;
use super::programs::Programs;

/// `fsync=off`: no test needs durability over a crash of the machine; the operating system keeps what a killed server
/// wrote. Dynamic shared memory is in its folder. It listens on the loopback interface alone: the path of a Unix socket
/// could be too long.
const SETTINGS: [&str; 6] = [
    "fsync=off",
    "unix_socket_directories=",
    "dynamic_shared_memory_type=mmap",
    "max_connections=200",
    "log_min_messages=warning",
    "log_checkpoints=off",
];

/// A server on files of its own, running or not.
#[derive(Debug)]
pub(super) struct Server {
    programs: Programs,
    port: u16,
    // Before the folder, so that the server ends before its files are removed: fields drop in order.
    process: Mutex<Option<Process>>,
    folder: PathBuf,
    scratch: Option<TempDir>,
}

impl Server {
    /// Creates the files and starts the server; it may not be ready yet. The files are removed with this value if it
    /// `owns` them, else with this process.
    pub(super) fn start_new(programs: Programs, owns: bool) -> io::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("millrace-postgres-").tempdir()?;
        programs.hand_over(scratch.path())?;
        init(&programs, scratch.path())?;
        let ports = port::free(1, &[]).and_then(|ports| ports.first().copied());
        let port = ports.ok_or_else(|| io::Error::other("no port is free"))?;
        let folder = scratch.path().to_owned();
        let scratch = if owns {
            Some(scratch)
        } else {
            // The watchdog removes the folder.
            let _ = scratch.keep();
            None
        };
        let server = Self { programs, port, process: Mutex::new(None), folder, scratch };
        server.start()?;
        Ok(server)
    }

    /// Its port of 127.0.0.1, the same after each start.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether its files are removed with this value.
    pub(super) fn is_owned(&self) -> bool {
        self.scratch.is_some()
    }

    /// Starts it if it does not run; it may not be ready yet.
    pub(super) fn start(&self) -> io::Result<()> {
        let mut process = self.process();
        if let Some(running) = process.as_mut()
            && running.exited()?.is_none()
        {
            return Ok(());
        }
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(data(&self.folder)).args(["-h", &Ipv4Addr::LOCALHOST.to_string()]);
        command.args(["-p", &self.port.to_string()]);
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        let log = File::options().create(true).append(true).open(self.log_path())?;
        *process = Some(Process::spawn(&command, log, &self.folder)?);
        Ok(())
    }

    /// Ends it by a signal. A no-op if it does not run.
    pub(super) fn end(&self, signal: Signal) -> io::Result<()> {
        let process = self.process().take();
        process.map_or(Ok(()), |mut process| process.end(signal))
    }

    /// Why it exited, if it has.
    pub(super) fn ended(&self) -> Option<String> {
        let status = self.process().as_mut()?.exited().ok()??;
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        Some(format!("PostgreSQL exited ({status}):\n{log}"))
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Ignores poisoning: after a panic the process must still be ended.
    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn init(programs: &Programs, folder: &Path) -> io::Result<()> {
    let output = programs
        .command("initdb")
        .arg("--pgdata")
        .arg(data(folder))
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    let printed = [output.stdout, output.stderr].concat();
    let failed = || format!("initdb failed ({}):\n{}", output.status, String::from_utf8_lossy(&printed));
    if output.status.success() { Ok(()) } else { Err(io::Error::other(failed())) }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}
