//! Terraform on a copy of the configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::emulators::{Emulators, setting};

/// How long one command may take.
const TIMEOUT: Duration = Duration::from_secs(900);

/// `examples/dev`, on the emulators.
pub(crate) struct Terraform {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    variables: Vec<String>,
}

impl Terraform {
    /// Copies the configuration: what Terraform writes beside it goes with the copy. The database is a real one, in place
    /// of the emulator's, and neither the brokers nor the emulators have TLS.
    pub(crate) fn new(emulators: &Emulators, database_url: &str, chats_secret: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let copy = emulators.folder().join("repository");
        copy_folder(&root.join("infra"), &copy.join("infra"));
        for file in [
            "crates/domain/topics.json",
            "crates/edge/openapi.json",
            "crates/lake/tables.json",
            "functions/functions.json",
        ] {
            fs::create_dir_all(copy.join(file).parent().unwrap()).unwrap();
            fs::copy(root.join(file), copy.join(file)).unwrap();
        }
        let environment = json!({
            "AWS_ALLOW_HTTP": "true",
            "AWS_ENDPOINT_URL": emulators.ministack(),
            "DATABASE_URL": database_url,
            "KAFKA_SASL_MECHANISM": "",
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "MILLRACE_COMPACT_DELAY": "1s",
        });
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let variables = [
            "image_tag=test".to_owned(),
            format!("dist={}", setting("MILLRACE_DIST").display()),
            format!("function_architecture={architecture}"),
            format!("environment={environment}"),
            "alarm_emails=[\"ops@example.com\"]".to_owned(),
            format!("chats_secret_arn={chats_secret}"),
            "notifier_config=[destinations.console]\ntype = \"console\"\n[[routes]]\nto = [\"console\"]\n".to_owned(),
        ];
        let mut environment = emulators.variables();
        environment.push(("CHECKPOINT_DISABLE".to_owned(), "1".to_owned()));
        Self { folder: copy.join("infra/examples/dev"), environment, variables: variables.to_vec() }
    }

    /// Applies it, or says what Terraform said.
    pub(crate) async fn apply(&self) -> Result<(), String> {
        let mut init = vec!["init", "-no-color", "-input=false", "-backend=false"];
        let plugins = std::env::var("MILLRACE_TERRAFORM_PLUGINS").map(|folder| format!("-plugin-dir={folder}"));
        init.extend(plugins.as_deref());
        self.run(&init).await?;
        self.run_with_variables(&["apply", "-no-color", "-auto-approve", "-parallelism=6"]).await.map(drop)
    }

    /// Destroys all of it, or says what Terraform said; but for the group of instances, whose protection from a scale-in no
    /// emulator lifts.
    pub(crate) async fn destroy(&self) -> Result<(), String> {
        self.run(&["state", "rm", "module.millrace.module.consumers.aws_autoscaling_group.this"]).await?;
        self.run_with_variables(&["destroy", "-no-color", "-auto-approve", "-parallelism=6"]).await.map(drop)
    }

    /// What it would do now.
    pub(crate) async fn plan(&self) -> Value {
        self.run_with_variables(&["plan", "-no-color", "-out=second.plan"]).await.unwrap();
        serde_json::from_str(&self.run(&["show", "-json", "second.plan"]).await.unwrap()).unwrap()
    }

    /// What it has applied.
    pub(crate) async fn state(&self) -> State {
        State(serde_json::from_str(&self.run(&["show", "-json"]).await.unwrap()).unwrap())
    }

    async fn run_with_variables(&self, arguments: &[&str]) -> Result<String, String> {
        let variables = self.variables.iter().map(|variable| format!("-var={variable}")).collect::<Vec<_>>();
        let all = arguments.iter().copied().chain(variables.iter().map(String::as_str));
        self.run(&all.collect::<Vec<_>>()).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("terraform");
        command.args(arguments).current_dir(&self.folder).envs(self.environment.iter().cloned()).kill_on_drop(true);
        let output = timeout(TIMEOUT, command.output()).await;
        let output =
            output.unwrap_or_else(|_| panic!("terraform {} took more than {TIMEOUT:?}", arguments[0])).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// What was applied, as `terraform show -json` has it.
pub(crate) struct State(Value);

impl State {
    /// An output's value.
    pub(crate) fn output(&self, name: &str) -> &Value {
        &self.0["values"]["outputs"][name]["value"]
    }

    /// All resources.
    pub(crate) fn resources(&self) -> Vec<&Value> {
        let mut found = Vec::new();
        collect(&self.0["values"]["root_module"], &mut found);
        found
    }

    /// The values of the resource with this address.
    pub(crate) fn resource(&self, address: &str) -> &Value {
        let found = self.resources().into_iter().find(|resource| resource["address"] == address);
        &found.unwrap_or_else(|| panic!("there is no {address}"))["values"]
    }
}

fn collect<'v>(module: &'v Value, found: &mut Vec<&'v Value>) {
    let list = |name: &str| module[name].as_array().map(Vec::as_slice).unwrap_or_default();
    found.extend(list("resources").iter().filter(|resource| resource["mode"] == "managed"));
    for child in list("child_modules") {
        collect(child, found);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if entry.is_dir() {
            copy_folder(&entry, &to.join(name));
        } else {
            fs::copy(&entry, to.join(name)).unwrap();
        }
    }
}
