//! The container's binary: its help, and its errors for invalid settings.

use std::process::Output;

use crate::program::command;

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

#[test]
fn invalid_settings_exit_with_2_and_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = file.path().join("in a file").display().to_string();
    let kafka = ["--kafka", "127.0.0.1:1"];
    for (arguments, expected) in [
        (vec!["--batch-age", "10"], "write a number and its unit"),
        (vec!["--insights-to", "gs://lake"], "expected a folder, or s3://BUCKET/PREFIX"),
        (vec!["--insights-to", &folder], "error: --insights-to (MILLRACE_INSIGHTS_TO): cannot create the folder"),
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
    for text in ["Examples:", "KAFKA_BOOTSTRAP_SERVERS", "MILLRACE_BATCH_AGE", "MILLRACE_INSIGHTS_TO", "[default: 10s]"]
    {
        assert!(help.contains(text), "no {text} in\n{help}");
    }
    let version = String::from_utf8(run(&["--version"]).stdout).unwrap();
    assert_eq!(version, format!("millrace-login-insights {}\n", env!("CARGO_PKG_VERSION")));
}
