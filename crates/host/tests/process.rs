//! Tests of a host process from outside: `examples/ticker.rs`, run as a child.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(20);

/// The example's binary, which Cargo builds with the tests, next to their directory.
fn ticker() -> Command {
    let tests = std::env::current_exe().unwrap();
    let target: PathBuf = tests.ancestors().nth(2).unwrap().into();
    let path = target.join("examples").join("ticker");
    assert!(path.exists(), "{} is not built", path.display());
    let mut command = Command::new(path);
    command.env_clear().env("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0").stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A running ticker, killed on drop.
struct Running {
    child: Child,
    logs: BufReader<ChildStderr>,
    admin: SocketAddr,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut logs = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        logs.read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(started["message"], "started", "{line}");
        assert_eq!(started["version"], millrace_host::version());
        let admin = started["admin"].as_str().unwrap().parse().unwrap();
        Self { child, logs, admin }
    }

    fn get(&self, path: &str) -> String {
        let mut connection = TcpStream::connect(self.admin).unwrap();
        connection.set_read_timeout(Some(TIMEOUT)).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    fn wait_for(&self, path: &str, expected: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let answer = self.get(path);
            if expected(&answer) {
                return answer;
            }
            assert!(start.elapsed() < TIMEOUT, "{path} stays at\n{answer}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the exit, and returns the exit code and the rest of the logs.
    fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < TIMEOUT, "the ticker does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut logs = String::new();
        self.logs.read_to_string(&mut logs).unwrap();
        (status.code(), logs)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if it has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whichever of its flag and its variable was used, the error names both.
#[test]
fn a_wrong_setting_exits_with_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let in_use = format!("error: --admin-listen (MILLRACE_ADMIN_LISTEN): cannot listen on {taken}: the port is in use");
    for (flag, variable, value, error) in [
        ("--every", "MILLRACE_EVERY", "soon", "error: invalid value 'soon' for '--every <EVERY> (MILLRACE_EVERY)': "),
        ("--log", "MILLRACE_LOG", "a=loud", "error: invalid value 'a=loud' for '--log <FILTER> (MILLRACE_LOG)': "),
        ("--admin-listen", "MILLRACE_ADMIN_LISTEN", &taken, &in_use),
    ] {
        for command in [ticker().args([flag, value]), ticker().env(variable, value)] {
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
            assert!(stderr(&output).starts_with(error), "no {error:?} in {}", stderr(&output));
        }
    }
}

#[test]
fn a_flag_wins_over_its_variable_which_wins_over_the_default() {
    let ticks = |args: &[&str], variables: &[(&str, &str)]| {
        let output = ticker().args(args).args(["--every", "1ms"]).envs(variables.iter().copied()).output().unwrap();
        let logs = stderr(&output);
        let ticks = logs.split("broke after ").nth(1).and_then(|rest| rest.split(' ').next());
        ticks.unwrap_or_else(|| panic!("{logs}")).to_owned()
    };
    assert_eq!(ticks(&[], &[("MILLRACE_FAIL_AFTER", "2")]), "2");
    assert_eq!(ticks(&["--fail-after", "3"], &[("MILLRACE_FAIL_AFTER", "2")]), "3");
    assert_eq!(ticks(&["--fail-after", "3"], &[("MILLRACE_FAIL_AFTER", "two")]), "3", "a wrong one is not read");
    assert_eq!(ticks(&["--fail-after", "3"], &[("MILLRACE_LAST_TICK", "")]), "3", "an empty one is not set");
}

#[test]
fn help_is_the_consumers_own_with_the_hosts_settings_added() {
    let output = ticker().arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.starts_with("Counts time\n"), "{help}");
    for text in ["Examples:", "MILLRACE_EVERY", "--log-format", "MILLRACE_ADMIN_LISTEN"] {
        assert!(help.contains(text), "no {text} in\n{help}");
    }
}

#[test]
fn a_signal_drains_and_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let ticker = Running::start(ticker().args(["--every", "10ms"]));
        let health = ticker.wait_for("/health", |answer| answer.starts_with("HTTP/1.1 200"));
        assert!(health.contains(r#""status":"ok""#), "{health}");
        ticker.wait_for("/metrics", |answer| answer.contains("\nticks_total "));

        ticker.signal(signal);

        let (code, logs) = ticker.end();
        assert_eq!(code, Some(0), "{logs}");
        assert!(logs.contains(&format!("SIG{signal}")), "{logs}");
    }
}

/// By the same program with the same settings, as in a container. `text` is a part of its output.
fn assert_health_check(admin: SocketAddr, code: i32, text: &str) {
    for address in [admin.to_string(), format!("0.0.0.0:{}", admin.port())] {
        let output = ticker().args(["--health-check", "--admin-listen", &address]).output().unwrap();
        let stdout = std::str::from_utf8(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stdout}");
        assert!(stdout.contains(text), "no {text} in {stdout}");
    }
}

#[test]
fn a_health_check_asks_the_running_process() {
    let ticker = Running::start(ticker().args(["--last-tick", "1m"]));
    let admin = ticker.admin;
    ticker.wait_for("/health", |answer| answer.starts_with("HTTP/1.1 200"));
    assert_health_check(admin, 0, r#""status":"ok""#);
    ticker.signal("TERM");
    ticker.wait_for("/health", |answer| answer.starts_with("HTTP/1.1 503"));
    assert_health_check(admin, 1, r#""status":"draining""#);
    drop(ticker);
    assert_health_check(admin, 1, "no answer at 127.0.0.1:");
}

/// A second signal exits at once.
#[test]
fn health_is_503_while_draining() {
    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let ticker = Running::start(ticker().args(["--last-tick", "1m"]));
        ticker.wait_for("/health", |answer| answer.starts_with("HTTP/1.1 200"));

        ticker.signal("TERM");
        let health = ticker.wait_for("/health", |answer| answer.starts_with("HTTP/1.1 503"));
        assert!(health.contains(r#""status":"draining""#), "{health}");
        ticker.signal(signal);

        let (code, logs) = ticker.end();
        assert_eq!(code, Some(expected), "{logs}");
        assert!(logs.contains("exiting at once"), "{logs}");
    }
}

#[test]
fn a_fatal_error_is_logged_as_json_and_exits_with_1() {
    let ticker = Running::start(ticker().args(["--every", "1ms", "--fail-after", "2"]));

    let (code, logs) = ticker.end();

    assert_eq!(code, Some(1), "{logs}");
    let last: Value = serde_json::from_str(logs.lines().last().unwrap()).expect(&logs);
    assert_eq!(last["level"], "ERROR");
    assert_eq!(last["error"], "the spring broke after 2 ticks");
}

#[test]
fn text_logs_off_a_terminal_have_no_colours() {
    let output = ticker().args(["--log-format", "text", "--every", "1ms", "--fail-after", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let logs = stderr(&output);
    assert!(logs.contains("ERROR") && logs.contains("the spring broke"), "{logs}");
    assert!(!logs.contains('\u{1b}') && !logs.contains('{'), "{logs}");
}
