//! A consumer's program as a process, asked by way of its admin listener.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::blocking::blocking;
use crate::eventually;

const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// A running process. Killed on drop.
#[derive(Debug)]
pub struct Program {
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

/// A command of this binary, with an empty environment but for the port of its admin listener, which is any.
pub fn command(binary: &str) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().env("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0");
    command
}

impl Program {
    /// Starts a command, whose first line of log says where its admin listener is.
    pub async fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut logs = BufReader::new(child.stderr.take().unwrap_or_else(|| unreachable!("it is piped")));
        let line = blocking(move || {
            let mut line = String::new();
            logs.read_line(&mut line).unwrap_or_else(|error| panic!("reading its log: {error}"));
            // A full pipe would block the process.
            std::thread::spawn(move || std::io::copy(&mut logs, &mut std::io::sink()));
            line
        });
        let line = line.await;
        let started: Option<Value> = serde_json::from_str(&line).ok();
        let admin = started.as_ref().and_then(|line| line["admin"].as_str()?.parse().ok());
        Self { child, admin: admin.unwrap_or_else(|| panic!("the first line of its log is {line}")) }
    }

    /// Waits until it has joined its groups.
    pub async fn joined(&self) {
        eventually(WAIT_TIMEOUT, "the process has joined its groups", async || {
            self.get("/health").starts_with("HTTP/1.1 200").then_some(())
        })
        .await;
    }

    /// The response of its admin listener; empty without one.
    pub fn get(&self, path: &str) -> String {
        let request = || -> std::io::Result<String> {
            let mut connection = TcpStream::connect(self.admin)?;
            write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")?;
            let mut response = String::new();
            connection.read_to_string(&mut response)?;
            Ok(response)
        };
        request().unwrap_or_default()
    }

    /// Waits until a consumer in it has processed this many records.
    pub async fn processed(&self, consumer: &str, records: u64) {
        self.counted(&format!("millrace_consumer_records_total{{consumer=\"{consumer}\",result=\"done\"}} {records}"))
            .await;
    }

    /// Waits until its metrics have this line, or its number is larger.
    pub async fn counted(&self, line: &str) {
        let series =
            |line: &str| line.rsplit_once(' ').map(|(series, number)| (series.to_owned(), number.parse::<f64>().ok()));
        let (wanted, least) = series(line).unwrap_or_else(|| panic!("{line:?} has no number"));
        eventually(WAIT_TIMEOUT, line, async || {
            let metrics = self.get("/metrics");
            let mut found = metrics.lines().filter_map(series);
            found.any(|(found, number)| found == wanted && number >= least).then_some(())
        })
        .await;
    }

    /// Kills it (`SIGKILL`).
    pub fn kill(mut self) {
        self.child.kill().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Stops it (`SIGTERM`), and asserts exit code 0.
    pub async fn stop(mut self) {
        let terminate = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(terminate.is_ok_and(|status| status.success()), "it has ended already");
        let exited = async || self.child.try_wait().unwrap_or_else(|error| panic!("{error}"));
        let status = eventually(WAIT_TIMEOUT, "the process has exited", exited).await;
        assert_eq!(status.code(), Some(0));
    }

    /// Waits until it has ended by itself, and returns its exit code.
    pub async fn ended(mut self) -> Option<i32> {
        let exited = async || self.child.try_wait().unwrap_or_else(|error| panic!("{error}"));
        eventually(WAIT_TIMEOUT, "the process has exited", exited).await.code()
    }
}
