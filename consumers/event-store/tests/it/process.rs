//! The container's binary as a process that can be killed.

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

    /// Ends it as the kernel does: nothing of it runs any more.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        eventually(Duration::from_secs(25), "it ends", async || self.0.try_wait().unwrap()).await
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended, which is well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn refused(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_millrace-event-store")).env_clear().args(args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_setting_that_is_missing_names_itself() {
    let (code, told) = refused(&["--kafka", "127.0.0.1:9"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("--database"), "{told}");
}

#[tokio::test]
async fn a_url_of_no_database_is_named_without_its_password() {
    let Some(kafka) = crate::fixture::kafka_with_topics(1).await else { return };
    let (code, told) = refused(&[
        "--kafka",
        kafka.bootstrap_servers(),
        "--admin-listen",
        "127.0.0.1:0",
        "--database",
        "mysql://ann:secret@localhost/db",
    ]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("--database") && told.contains("postgres://") && !told.contains("secret"), "{told}");
}
