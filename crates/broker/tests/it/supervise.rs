//! A child ends with the process that started it, however that ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{has_ended, wait_until};
use millrace_broker::supervise::Supervised;

/// The folder of the child, for the process that the test below starts.
const FOLDER: &str = "MILLRACE_TEST_SUPERVISED_FOLDER";

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("600");
    command
}

fn spawn(command: &Command) -> Supervised {
    Supervised::spawn(command, tempfile::tempfile().unwrap(), None).unwrap()
}

/// Runs in the process that is killed: this test binary again, with this test alone.
#[test]
#[ignore = "runs in the process that a_child_ends_when_its_parent_is_killed starts"]
fn a_parent_that_is_about_to_be_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("file"), "left behind").unwrap();
    let mut child = Supervised::spawn(&sleeper(), tempfile::tempfile().unwrap(), Some(folder)).unwrap();
    if folder.ends_with("paused") {
        child.pause().unwrap();
    }
    println!("pid={}", child.pid());
    // The other process kills this one; if that has ended, this one ends by itself.
    std::thread::sleep(Duration::from_mins(1));
}

fn kill_parent_of_a_child_in(folder: &Path) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "supervise::a_parent_that_is_about_to_be_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(parent.stdout.take().unwrap());
    let pid = output.lines().find_map(|line| line.unwrap().split_once("pid=")?.1.parse().ok()).unwrap();
    assert!(!has_ended(pid));
    assert!(folder.join("file").exists());

    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("the child of a killed process ends", || has_ended(pid));
    wait_until("its scratch folder is removed", || !folder.exists());
}

#[test]
fn a_child_ends_when_its_parent_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    kill_parent_of_a_child_in(&folder.path().join("running"));
}

#[test]
fn a_paused_child_ends_when_its_parent_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    kill_parent_of_a_child_in(&folder.path().join("paused"));
}

#[test]
fn a_dropped_child_has_ended() {
    let child = spawn(&sleeper());
    let pid = child.pid();
    assert!(!has_ended(pid));
    drop(child);
    assert!(has_ended(pid));
}

#[test]
fn a_paused_child_stops_gracefully() {
    let mut child = spawn(&sleeper());
    child.pause().unwrap();
    let status = child.stop(Duration::from_secs(10)).unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
}

#[test]
fn a_child_that_ignores_sigterm_is_killed() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut child = Supervised::spawn(&command, output.reopen().unwrap(), None).unwrap();
    wait_until("the child ignores SIGTERM", || fs::read_to_string(output.path()).unwrap() == "ready\n");
    let status = child.stop(Duration::from_millis(200)).unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}

#[test]
fn a_program_that_does_not_exist_exits_with_127() {
    let mut child = spawn(&Command::new("millrace-has-no-such-program"));
    wait_until("the shell exits", || child_exit(&mut child) == Some(127));
}

fn child_exit(child: &mut Supervised) -> Option<i32> {
    child.exited().unwrap()?.code()
}
