//! The container's binary: its help, and its errors for invalid settings.

use std::process::{Command, Output};

use millrace_testkit::program;

/// The binary, with an empty environment.
pub(crate) fn command() -> Command {
    program::command(env!("CARGO_BIN_EXE_millrace-log-indexer"))
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

#[test]
fn invalid_settings_exit_with_2_and_are_named() {
    for (arguments, expected) in [
        (&[][..], "error: --index-to (MILLRACE_INDEX_TO): is needed: the URL of an OpenSearch cluster"),
        (
            &["--index-to", "search:9200"],
            "error: --index-to (MILLRACE_INDEX_TO): expected http:// or https:// with a host",
        ),
        (&["--index-prefix", "Logs"], "expected up to 100 lower-case letters"),
        (&["--index-retain", "1h"], "must be from 1d to 100 years, such as 30d"),
        (&["--index-batch-age", "2m"], "is at most 1m"),
        (&["--index-batch-records", "0"], "1"),
        (&["--index-to", "https://u:p@search:9200", "--index-sign"], "--index-to has a user: a request has either"),
        #[cfg(not(feature = "sigv4"))]
        (
            &["--index-to", "https://search:9200", "--index-sign"],
            "error: --index-sign (MILLRACE_INDEX_SIGN): signing is not in this build",
        ),
    ] {
        let output = run(&[&["--kafka", "127.0.0.1:1"], arguments].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_password_is_not_shown_where_the_url_is_wrong() {
    for url in ["https://user:p#s3cr3t@search:9200", "https://user:s3cr3t@search:9200/?a=b", "ftp://user:s3cr3t@search"]
    {
        let output = command().args(["--kafka", "127.0.0.1:1"]).env("MILLRACE_INDEX_TO", url).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("MILLRACE_INDEX_TO") && !said.contains("s3cr3t"), "{said}");
    }
}

#[test]
fn help_shows_examples_and_environment_variables() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for text in
        ["Examples:", "KAFKA_BOOTSTRAP_SERVERS", "MILLRACE_INDEX_TO", "MILLRACE_INDEX_RETAIN", "es.amazonaws.com"]
    {
        assert!(help.contains(text), "no {text} in\n{help}");
    }
    let version = String::from_utf8(run(&["--version"]).stdout).unwrap();
    assert_eq!(version, format!("millrace-log-indexer {}\n", env!("CARGO_PKG_VERSION")));
}
