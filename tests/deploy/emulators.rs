//! The emulators: two processes, killed on drop.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use millrace_testkit::eventually;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// How long they may take to start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// What moto does in MiniStack's place, by the name in `AWS_ENDPOINT_URL_<SERVICE>`. Services that look each other's
/// resources up are in one process: ECS and scaling, RDS, its key and its secret.
const OF_MOTO: [&str; 9] =
    ["APPLICATION_AUTO_SCALING", "ATHENA", "CLOUDWATCH", "EC2", "ECS", "KAFKA", "KMS", "RDS", "SECRETS_MANAGER"];

/// Two emulators of AWS that share an account.
pub(crate) struct Emulators {
    ministack: u16,
    moto: u16,
    _processes: [Child; 2],
    folder: TempDir,
}

impl Emulators {
    /// Starts them; an MSK cluster has these brokers.
    pub(crate) async fn start(bootstrap_servers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [ministack, moto] = [free_port(), free_port()];
        let start = |program: PathBuf, log: &str| {
            let log = File::create(folder.path().join(log)).unwrap();
            let mut command = Command::new(program);
            command.current_dir(folder.path()).kill_on_drop(true).stdin(Stdio::null());
            command.stdout(log.try_clone().unwrap()).stderr(log);
            command
        };
        let mut first = start(setting("MILLRACE_MINISTACK"), "ministack.log");
        first.envs([("BIND_HOST", "127.0.0.1"), ("MINISTACK_HOST", "127.0.0.1"), ("IOT_MTLS_ENABLED", "0")]);
        first.envs([("SFTP_ENABLED", "0"), ("GATEWAY_PORT", &ministack.to_string())]);
        // It checks signatures and policies then: a function has its role's credentials.
        first.env("AUTH", "true");
        let mut second = start(setting("MILLRACE_MOTO_PYTHON"), "moto.log");
        second.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aws/moto_server.py"));
        second.args(["-H", "127.0.0.1", "-p", &moto.to_string()]);
        second.envs([("MOTO_ACCOUNT_ID", "000000000000"), ("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)]);
        let processes = [first.spawn().unwrap(), second.spawn().unwrap()];
        let emulators = Self { ministack, moto, _processes: processes, folder };
        for (name, url) in [("MiniStack", emulators.ministack()), ("moto", emulators.moto())] {
            let answers = async || reqwest::get(&url).await.ok().map(drop);
            eventually(START_TIMEOUT, &format!("{name} answers"), answers).await;
        }
        emulators
    }

    /// MiniStack's address.
    pub(crate) fn ministack(&self) -> String {
        format!("http://127.0.0.1:{}", self.ministack)
    }

    /// moto's address.
    pub(crate) fn moto(&self) -> String {
        format!("http://127.0.0.1:{}", self.moto)
    }

    /// A folder that goes with them.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What makes an AWS client talk to them.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let credentials = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
        let credentials = credentials.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let of_moto = OF_MOTO.map(|service| (format!("AWS_ENDPOINT_URL_{service}"), self.moto()));
        let all = ("AWS_ENDPOINT_URL".to_owned(), self.ministack());
        credentials.into_iter().chain([all]).chain(of_moto).collect()
    }
}

/// A path that `scripts/infra` names.
pub(crate) fn setting(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: start this by scripts/infra")).into()
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
