//! The container's binary as a process.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use millrace_testkit::eventually;

pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(bootstrap_servers: &str, database: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_millrace-event-store"))
            .env_clear()
            .args(["--kafka", bootstrap_servers, "--database", database, "--admin-listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// Kills it (`SIGKILL`).
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Stops it (`SIGTERM`), and waits for its exit.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        eventually(Duration::from_secs(25), "the event store has exited", async || self.0.try_wait().unwrap()).await
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_millrace-event-store")).env_clear().args(args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_missing_setting_is_named() {
    let (code, stderr) = run(&["--kafka", "127.0.0.1:9"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--database"), "{stderr}");
}

#[tokio::test]
async fn an_invalid_database_url_is_named_without_its_password() {
    let Some(kafka) = crate::fixture::kafka_with_topics(1).await else { return };
    let (code, stderr) = run(&[
        "--kafka",
        kafka.bootstrap_servers(),
        "--admin-listen",
        "127.0.0.1:0",
        "--database",
        "mysql://ann:secret@localhost/db",
    ]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--database") && stderr.contains("postgres://") && !stderr.contains("secret"), "{stderr}");
}
