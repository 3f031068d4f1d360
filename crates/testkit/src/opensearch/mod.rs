//! A real OpenSearch for tests: one node from its Maven jars, where a JDK is installed.
//!
//! The node runs without the plugins of OpenSearch's distribution: no security, no index policies, no scripts.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use millrace_broker::jars::{self, Jars, JarsError};
use millrace_broker::port;
use millrace_broker::supervise::{NO_SUCH_PROGRAM, Supervised};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::blocking::blocking;
use crate::eventually;
use crate::missing::skip;

const JARS: Jars = Jars { server: "OpenSearch", name: "opensearch", version: "2.19.3", pom: include_str!("pom.xml") };

/// The node's program, which `java` compiles when it starts it.
const PROGRAM: &str = include_str!("TestNode.java");

/// A busy machine takes half a minute.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// A node of its own cluster.
#[derive(Debug)]
pub struct OpenSearch {
    port: u16,
    folder: PathBuf,
    process: Mutex<Supervised>,
}

/// The node of this test binary; `None` where there is no JDK or Maven and the test is to be skipped, which is printed. Each
/// test uses indices of its own.
///
/// # Panics
/// If there is no JDK or Maven and `CI` is set; if it does not start.
pub async fn shared() -> Option<&'static OpenSearch> {
    static SHARED: OnceCell<Result<OpenSearch, String>> = OnceCell::const_new();
    let found = SHARED.get_or_init(OpenSearch::start).await;
    found.as_ref().map_err(|reason| skip("OpenSearch", reason)).ok()
}

impl OpenSearch {
    async fn start() -> Result<Self, String> {
        let node = match blocking(Self::launch).await {
            Ok(node) => node,
            Err(missing @ JarsError::MavenMissing { .. }) => return Err(missing.to_string()),
            Err(error) => panic!("{error}"),
        };
        let answers = async || {
            if let Some(status) = node.process.lock().ok().and_then(|mut process| process.exited().ok()?) {
                let log = fs::read_to_string(node.folder.join("log")).unwrap_or_default();
                return Some(if status.code() == Some(NO_SUCH_PROGRAM) {
                    Err("java was not found: install a JDK 17 or newer".to_owned())
                } else {
                    panic!("OpenSearch ended ({status}):\n{log}")
                });
            }
            (node.try_call("GET", "/_cluster/health", "")?.0 == 200).then_some(Ok(()))
        };
        eventually(START_TIMEOUT, "OpenSearch answers", answers).await.map(|()| node)
    }

    fn launch() -> Result<Self, JarsError> {
        let class_path = JARS.class_path(None)?;
        // A static is never dropped: the watchdog removes the folder when the process ends.
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for OpenSearch: {error}")).keep();
        let [port, transport] = port::free(2, &[]).unwrap_or_default()[..] else {
            panic!("no free port was found on 127.0.0.1")
        };
        let process = spawn(&folder, &class_path, port, transport);
        let process = Mutex::new(process.unwrap_or_else(|error| panic!("OpenSearch does not start: {error}")));
        Ok(Self { port, folder, process })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Calls it, with JSON as the body unless that is empty: the status, and the answer as JSON (null where it is none).
    ///
    /// # Panics
    /// If it does not answer.
    pub fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.try_call(method, path, body).unwrap_or_else(|| panic!("OpenSearch does not answer {method} {path}"))
    }

    fn try_call(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        connection.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).unwrap_or_default()))
    }
}

fn spawn(folder: &Path, class_path: &std::ffi::OsStr, port: u16, transport: u16) -> std::io::Result<Supervised> {
    let program = folder.join("TestNode.java");
    fs::write(&program, PROGRAM)?;
    let mut command = Command::new(jars::java());
    command.args(["-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disable.jmx=true"]);
    command.args(["--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp"]).arg(class_path);
    command.arg(program).arg(folder).arg("network.host=127.0.0.1");
    command.args([format!("http.port={port}"), format!("transport.port={transport}")]);
    Supervised::spawn(&command, File::create(folder.join("log"))?, Some(folder))
}
