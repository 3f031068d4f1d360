//! The container's binary as a process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use millrace_testkit::eventually;
use serde_json::Value;
use tokio::task::spawn_blocking;

const BOUND: Duration = Duration::from_secs(40);

/// The binary, with nothing of this process's environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-login-insights"));
    command.env_clear().env("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0");
    command
}

/// A process that consumes. It is killed if the test ends before it does.
pub(crate) struct Program {
    child: Child,
    admin: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts one that writes its files into a folder or bucket.
    pub(crate) async fn start(bootstrap_servers: &str, files: impl AsRef<OsStr>, more: &[&str]) -> Self {
        Self::run(command().args(["--kafka", bootstrap_servers, "--insights-to"]).arg(files).args(more)).await
    }

    /// Starts what the command says.
    pub(crate) async fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut logs = BufReader::new(child.stderr.take().unwrap());
        let started = spawn_blocking(move || {
            let mut line = String::new();
            logs.read_line(&mut line).unwrap();
            // Whoever logs into a full pipe waits.
            std::thread::spawn(move || std::io::copy(&mut logs, &mut std::io::sink()));
            serde_json::from_str::<Value>(&line).unwrap()
        });
        let admin = started.await.unwrap()["admin"].as_str().unwrap().parse().unwrap();
        Self { child, admin }
    }

    /// Waits until it has joined its group.
    pub(crate) async fn joined(&self) {
        eventually(BOUND, "it has joined its group", async || {
            self.get("/health").starts_with("HTTP/1.1 200").then_some(())
        })
        .await;
    }

    /// The answer of its admin listener; empty where there is none.
    fn get(&self, path: &str) -> String {
        let ask = || -> std::io::Result<String> {
            let mut connection = TcpStream::connect(self.admin)?;
            write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().unwrap_or_default()
    }

    /// Waits until it has processed so many logins.
    pub(crate) async fn processed(&self, logins: u64) {
        let line = format!("millrace_consumer_records_total{{consumer=\"login-insights\",outcome=\"done\"}} {logins}");
        eventually(BOUND, "its logins are processed", async || {
            self.get("/metrics").lines().any(|found| found == line).then_some(())
        })
        .await;
    }

    /// Kills it, so that it can do nothing more (`kill -9`).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
    }

    /// Stops it in good order.
    pub(crate) async fn stop(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let status = eventually(BOUND, "it has ended", async || self.child.try_wait().unwrap()).await;
        assert_eq!(status.code(), Some(0));
    }
}
