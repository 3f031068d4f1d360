//! The containers of docker-compose.yml, in a project of their own: started, looked at, taken down on drop.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command as Blocking, Stdio};
use std::time::Duration;

use millrace_testkit::eventually;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// How long a service may take to do what it was asked for, after a restart too.
const BOUND: Duration = Duration::from_secs(120);

/// The variables of docker-compose.yml that are ports. Those here are free ones, beside what else runs.
const PORTS: [&str; 13] = [
    "MILLRACE_PORT",
    "LAMBDA_EDGE_PORT",
    "KAFKA_PORT",
    "KAFKA_2_PORT",
    "KAFKA_3_PORT",
    "POSTGRES_PORT",
    "LOCALSTACK_PORT",
    "MAIL_PORT",
    "PROMETHEUS_PORT",
    "ALERTMANAGER_PORT",
    "SCHEMA_REGISTRY_PORT",
    "OPENSEARCH_PORT",
    "OPENSEARCH_DASHBOARDS_PORT",
];

/// A project.
pub(crate) struct Stack {
    name: String,
    options: Vec<String>,
    settings: Vec<(&'static str, String)>,
    ports: Vec<(&'static str, u16)>,
    pub(crate) http: Client,
}

impl Stack {
    /// Starts what these options of `docker compose` choose, with these settings of `.env.example`, and waits until it is
    /// healthy.
    pub(crate) async fn start(name: &str, options: &[&str], settings: &[(&'static str, &str)]) -> Self {
        Self::start_services(name, options, settings, &[]).await
    }

    /// The same, of these services alone and of what they depend on.
    pub(crate) async fn start_services(
        name: &str,
        options: &[&str],
        settings: &[(&'static str, &str)],
        services: &[&str],
    ) -> Self {
        // All held until each has its own.
        let listeners = PORTS.map(|variable| (variable, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()));
        let ports = listeners.map(|(variable, listener)| (variable, listener.local_addr().unwrap().port())).to_vec();
        // reqwest makes no client without one. All here is plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let settings = settings.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let name = format!("millrace-test-{name}-{}", std::process::id());
        let stack = Self { name, options, settings, ports, http };
        let up = ["up", "--detach", "--wait", "--no-build"];
        let output = stack.command().args(up).args(services).output().await.unwrap();
        if !output.status.success() {
            let logs = stack.command().args(["logs", "--tail", "20"]).output().await.unwrap();
            panic!("{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&logs.stdout));
        }
        stack
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.arg("compose").args(&self.options).current_dir(ROOT).env("COMPOSE_PROJECT_NAME", &self.name);
        command.envs(self.ports.iter().map(|(variable, port)| (variable, port.to_string())));
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Runs `docker compose`.
    pub(crate) async fn compose(&self, arguments: &[&str]) -> String {
        run(self.command().args(arguments)).await.unwrap()
    }

    /// The container of a service.
    pub(crate) async fn container(&self, service: &str) -> String {
        self.compose(&["ps", "--all", "--quiet", service]).await.trim().to_owned()
    }

    /// What Docker knows of a service's container.
    pub(crate) async fn inspect(&self, service: &str) -> Value {
        let container = self.container(service).await;
        let text = docker(&["inspect", &container]).await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()[0].take()
    }

    /// A URL of a published port.
    pub(crate) fn url(&self, port: &str, path: &str) -> String {
        let (_, port) = self.ports.iter().find(|(variable, _)| *variable == port).unwrap();
        format!("http://127.0.0.1:{port}{path}")
    }

    /// Posts JSON with this id; whether it was accepted.
    pub(crate) async fn post(&self, port: &str, path: &str, id: &str, body: &Value) -> bool {
        let request = self.http.post(self.url(port, path)).header("idempotency-key", id);
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Waits until a path of the edge has a value that `wanted` accepts; returns the value.
    pub(crate) async fn found(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.found_at("MILLRACE_PORT", path, wanted).await
    }

    /// The same, of another service's published port.
    pub(crate) async fn found_at(&self, port: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let url = self.url(port, path);
        eventually(BOUND, &format!("{path} has the expected value"), async || {
            let answer = self.http.get(&url).send().await.ok()?;
            if answer.status() != StatusCode::OK {
                return None;
            }
            let found = serde_json::from_slice(&answer.bytes().await.ok()?).unwrap();
            wanted(&found).then_some(found)
        })
        .await
    }

    /// Waits until these events are stored.
    pub(crate) async fn stored(&self, ids: &[String]) {
        for id in ids {
            self.found(&format!("/events/{id}"), |event| event["id"] == json!(id)).await;
        }
    }

    /// Waits until a service's container is healthy.
    pub(crate) async fn healthy(&self, service: &str) {
        let is_healthy = async || (self.inspect(service).await["State"]["Health"]["Status"] == "healthy").then_some(());
        eventually(BOUND, &format!("{service} is healthy"), is_healthy).await;
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut down = Blocking::new("docker");
        down.args(["compose", "--profile", "*", "down", "--volumes", "--timeout", "0"]).current_dir(ROOT);
        down.env("COMPOSE_PROJECT_NAME", &self.name).stdout(Stdio::null()).stderr(Stdio::null());
        // A panic here would hide the test's own.
        let _ = down.status();
    }
}

/// Runs `docker`: its output, or what it said where it failed.
pub(crate) async fn docker(arguments: &[&str]) -> Result<String, String> {
    run(Command::new("docker").args(arguments)).await
}

async fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().await.unwrap();
    let said = |text: Vec<u8>| String::from_utf8_lossy(&text).into_owned();
    if output.status.success() { Ok(said(output.stdout)) } else { Err(said(output.stderr)) }
}
