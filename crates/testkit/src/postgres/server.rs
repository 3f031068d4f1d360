//! A server of this process's own, from PostgreSQL's programs.

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

/// No durability against a crash of the machine, which no test has: what a killed server has written, the operating
/// system keeps. All its shared memory is in its own folder, and its only door is the loopback interface: the name of
/// a Unix socket could get too long.
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
    // Before the folder, so that the server ends before its files go: fields drop in their order.
    process: Mutex<Option<Process>>,
    folder: PathBuf,
    scratch: Option<TempDir>,
}

impl Server {
    /// Makes the files, and starts the server, which is then coming up. The files go with this value where it `owns`
    /// them, else with this process.
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
            // The watchdog removes it.
            let _ = scratch.keep();
            None
        };
        let server = Self { programs, port, process: Mutex::new(None), folder, scratch };
        server.start()?;
        Ok(server)
    }

    /// The port of 127.0.0.1 that it listens on, the same after each start.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether its files go with this value.
    pub(super) fn is_owned(&self) -> bool {
        self.scratch.is_some()
    }

    /// Starts it where it does not run. It is then coming up.
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

    /// Ends it by a signal. Fine if it does not run.
    pub(super) fn end(&self, signal: Signal) -> io::Result<()> {
        let process = self.process().take();
        process.map_or(Ok(()), |mut process| process.end(signal))
    }

    /// Why it does not run any more, if it ended by itself.
    pub(super) fn ended(&self) -> Option<String> {
        let status = self.process().as_mut()?.exited().ok()??;
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        Some(format!("PostgreSQL ended by itself ({status}):\n{log}"))
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// A panic elsewhere leaves a process that can still be ended, and must be.
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
    let said = [output.stdout, output.stderr].concat();
    let failed = || format!("initdb failed ({}):\n{}", output.status, String::from_utf8_lossy(&said));
    if output.status.success() { Ok(()) } else { Err(io::Error::other(failed())) }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}
