//! The container's binary: its help, and its errors for invalid settings.

use std::process::{Command, Output};

use millrace_testkit::program;

/// The binary, with an empty environment.
pub(crate) fn command() -> Command {
    program::command(env!("CARGO_BIN_EXE_millrace-log-shipper"))
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

#[test]
fn invalid_settings_exit_with_2_and_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = file.path().join("in a file").display().to_string();
    let kafka = ["--kafka", "127.0.0.1:1"];
    for (arguments, expected) in [
        (vec!["--logs-batch-age", "10"], "write a number and its unit"),
        (vec!["--logs-batch-bytes", "0"], "1"),
        (vec!["--logs-compression", "lz4"], "[possible values: gzip, zstd]"),
        (vec!["--logs-to", "gs://lake"], "expected a folder, s3://BUCKET/PREFIX, or firehose://STREAM"),
        (vec!["--logs-to", &folder], "error: --logs-to (MILLRACE_LOGS_TO): cannot create the folder"),
        #[cfg(not(feature = "firehose"))]
        (vec!["--logs-to", "firehose://logs"], "error: --logs-to (MILLRACE_LOGS_TO): Firehose is not in this build"),
    ] {
        let output = run(&[&kafka[..], &arguments].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected) && stderr.contains(arguments[0]), "{stderr}");
    }
}

#[test]
fn help_shows_examples_and_environment_variables() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for text in ["Examples:", "KAFKA_BOOTSTRAP_SERVERS", "MILLRACE_LOGS_TO", "MILLRACE_LOGS_BATCH_AGE", "firehose://"] {
        assert!(help.contains(text), "no {text} in\n{help}");
    }
    let version = String::from_utf8(run(&["--version"]).stdout).unwrap();
    assert_eq!(version, format!("millrace-log-shipper {}\n", env!("CARGO_PKG_VERSION")));
}
