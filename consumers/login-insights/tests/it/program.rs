//! The container's binary as a process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use millrace_testkit::eventually;
use serde_json::Value;
use tokio::task::spawn_blocking;

const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// The binary, with an empty environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-login-insights"));
    command.env_clear().env("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0");
    command
}

/// A running process. Killed on drop.
pub(crate) struct Program {
    child: Child,
    admin: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts a process that writes its files to a folder or bucket.
    pub(crate) async fn start(bootstrap_servers: &str, files: impl AsRef<OsStr>, more: &[&str]) -> Self {
        Self::run(command().args(["--kafka", bootstrap_servers, "--insights-to"]).arg(files).args(more)).await
    }

    /// Starts this command.
    pub(crate) async fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut logs = BufReader::new(child.stderr.take().unwrap());
        let started = spawn_blocking(move || {
            let mut line = String::new();
            logs.read_line(&mut line).unwrap();
            // A full pipe would block the process.
            std::thread::spawn(move || std::io::copy(&mut logs, &mut std::io::sink()));
            serde_json::from_str::<Value>(&line).unwrap()
        });
        let admin = started.await.unwrap()["admin"].as_str().unwrap().parse().unwrap();
        Self { child, admin }
    }

    /// Waits until it has joined its group.
    pub(crate) async fn joined(&self) {
        eventually(WAIT_TIMEOUT, "the process has joined its group", async || {
            self.get("/health").starts_with("HTTP/1.1 200").then_some(())
        })
        .await;
    }

    /// The response of its admin listener; empty without one.
    fn get(&self, path: &str) -> String {
        let request = || -> std::io::Result<String> {
            let mut connection = TcpStream::connect(self.admin)?;
            write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")?;
            let mut response = String::new();
            connection.read_to_string(&mut response)?;
            Ok(response)
        };
        request().unwrap_or_default()
    }

    /// Waits until it has processed this many logins.
    pub(crate) async fn processed(&self, logins: u64) {
        let line = format!("millrace_consumer_records_total{{consumer=\"login-insights\",result=\"done\"}} {logins}");
        eventually(WAIT_TIMEOUT, "the logins are processed", async || {
            self.get("/metrics").lines().any(|found| found == line).then_some(())
        })
        .await;
    }

    /// Kills it (`SIGKILL`).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
    }

    /// Stops it (`SIGTERM`), and asserts exit code 0.
    pub(crate) async fn stop(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let status = eventually(WAIT_TIMEOUT, "the process has exited", async || self.child.try_wait().unwrap()).await;
        assert_eq!(status.code(), Some(0));
    }
}
