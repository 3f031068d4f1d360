//! Skipping tests that need a server or a program which is not there.

use std::env;
use std::io::{self, Write as _};
use std::thread;

/// Prints which test is skipped without a `server`, and the reason, to standard error: the test harness captures what a
/// passing test prints by `eprintln!`.
///
/// # Panics
/// If `CI` is set: there no test is skipped.
pub fn skip(server: &str, reason: &str) {
    let current = thread::current();
    let test = current.name().unwrap_or("a test");
    let is_ci = env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    assert!(!is_ci, "{test} needs a {server}, and CI is set: {reason}");
    // Standard error may be closed.
    let _ = writeln!(io::stderr(), "\nSKIPPED {test}: no {server}: {reason}\n");
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[ignore = "runs in the process that a_skipped_test_is_printed_and_fails_in_ci starts"]
    fn a_test_without_its_server() {
        skip("Quux", "not installed");
    }

    #[test]
    fn a_skipped_test_is_printed_and_fails_in_ci() {
        let run = |ci: &str| {
            let test = "missing::tests::a_test_without_its_server";
            let mut process = Command::new(env::current_exe().unwrap());
            let output = process.args(["--exact", test, "--ignored"]).env("CI", ci).output().unwrap();
            (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
        };
        let (passed, report) = run("");
        let expected = "SKIPPED missing::tests::a_test_without_its_server: no Quux: not installed";
        assert!(passed && report.contains(expected), "{report}");
        let (passed, report) = run("true");
        assert!(!passed && report.contains("needs a Quux, and CI is set: not installed"), "{report}");
    }
}
