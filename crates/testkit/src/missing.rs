//! What a test needs and the machine does not have.

use std::env;
use std::io::{self, Write as _};
use std::thread;

/// Says on the terminal which test is skipped for want of a `server`, and why there is none. The test harness keeps
/// what a passing test prints, so this goes past it.
///
/// # Panics
/// Where `CI` is set: there nothing is skipped.
pub(crate) fn skip(server: &str, reason: &str) {
    let current = thread::current();
    let test = current.name().unwrap_or("a test");
    let is_ci = env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    assert!(!is_ci, "{test} needs a {server}, and CI is set: {reason}");
    // Where nobody listens, nobody can be told.
    let _ = writeln!(io::stderr(), "\nSKIPPED {test}: no {server}: {reason}\n");
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[ignore = "is the other process of a_test_without_its_server_is_skipped_out_loud_and_fails_in_ci"]
    fn a_test_without_its_server() {
        skip("Quux", "nobody installed one");
    }

    #[test]
    fn a_test_without_its_server_is_skipped_out_loud_and_fails_in_ci() {
        let run = |ci: &str| {
            let test = "missing::tests::a_test_without_its_server";
            let mut process = Command::new(env::current_exe().unwrap());
            let output = process.args(["--exact", test, "--ignored"]).env("CI", ci).output().unwrap();
            (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
        };
        let (passed, report) = run("");
        let expected = "SKIPPED missing::tests::a_test_without_its_server: no Quux: nobody installed one";
        assert!(passed && report.contains(expected), "{report}");
        let (passed, report) = run("true");
        assert!(!passed && report.contains("needs a Quux, and CI is set: nobody installed one"), "{report}");
    }
}
