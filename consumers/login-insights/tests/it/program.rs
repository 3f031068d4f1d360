//! The container's binary as a process.

use std::ffi::OsStr;
use std::process::Command;

use millrace_testkit::{Program, program};

/// The binary, with an empty environment.
pub(crate) fn command() -> Command {
    program::command(env!("CARGO_BIN_EXE_millrace-login-insights"))
}

/// Starts a process that writes its files to a folder or bucket.
pub(crate) async fn start(bootstrap_servers: &str, files: impl AsRef<OsStr>, more: &[&str]) -> Program {
    Program::start(command().args(["--kafka", bootstrap_servers, "--insights-to"]).arg(files).args(more)).await
}

/// Waits until a process has made insights of this many logins.
pub(crate) async fn processed(program: &Program, logins: u64) {
    program.processed("login-insights", logins).await;
}
