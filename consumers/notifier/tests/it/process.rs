//! The container's binary: its help, and its errors for invalid settings.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::setup::config_file;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-notifier"));
    command.env_clear().env("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0");
    command.args(arguments).envs(variables.iter().copied()).output().unwrap()
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn an_invalid_configuration_exits_with_2_and_names_the_key() {
    let file = config_file("[destinations.a]\ntype = \"pigeon\"\n[[routes]]\nto = [\"a\"]");
    let path = file.path().to_str().unwrap();
    let problem = format!("{path}: destinations.a.type: unknown type \"pigeon\"");

    let expected = format!("error: --notifier-config (MILLRACE_NOTIFIER_CONFIG): {problem}");
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("MILLRACE_NOTIFIER_CONFIG", path)];
    for output in [run(&["--kafka", "127.0.0.1:1", "--notifier-config", path], &[]), run(&[], &variables)] {
        assert_eq!(output.status.code(), Some(2));
        assert!(last_line(&output).starts_with(&expected), "{}", last_line(&output));
    }
}

#[test]
fn a_configuration_may_be_the_text_of_a_variable() {
    let text = "[destinations.a]\ntype = \"pigeon\"\n[[routes]]\nto = [\"a\"]";
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("MILLRACE_NOTIFIER_CONFIG_TEXT", text)];
    let output = run(&[], &variables);
    assert_eq!(output.status.code(), Some(2));
    let expected = "error: --notifier-config-text (MILLRACE_NOTIFIER_CONFIG_TEXT): \
                    notifier.toml: destinations.a.type: unknown type \"pigeon\"";
    assert!(last_line(&output).starts_with(expected), "{}", last_line(&output));
}

#[test]
fn an_invalid_proxy_exits_with_2_and_is_named() {
    let file = config_file("[destinations.a]\ntype = \"slack\"\nurl = \"https://b.org\"\n[[routes]]\nto = [\"a\"]");
    let arguments = ["--kafka", "127.0.0.1:1", "--notifier-config", file.path().to_str().unwrap()];
    let output = run(&arguments, &[("https_proxy", "socks5://user:secret@localhost:1080")]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(last_line(&output), "error: https_proxy: must begin with http:// or https://, not socks5:");
}

#[test]
fn missing_or_incomplete_kafka_settings_exit_with_2() {
    let output = run(&[], &[("KAFKA_BOOTSTRAP_SERVERS", "")]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("\n  --kafka <HOST:PORT,…> (KAFKA_BOOTSTRAP_SERVERS)\n"), "{stderr}");

    let output = run(&["--kafka", "127.0.0.1:1", "--kafka-sasl-mechanism", "PLAIN"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", last_line(&output));
    let expected = "error: --kafka-sasl-username (KAFKA_SASL_USERNAME): ";
    assert!(last_line(&output).starts_with(expected), "{}", last_line(&output));
}

#[test]
fn an_invalid_database_url_exits_before_the_broker_is_contacted() {
    let start = Instant::now();
    let output = run(&["--kafka", "127.0.0.1:1", "--database", "xx"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(last_line(&output).starts_with("error: --database (DATABASE_URL): "), "{}", last_line(&output));
    assert!(start.elapsed() < Duration::from_secs(20), "it waited for the broker");
}

#[test]
fn an_unreachable_broker_exits_with_1_within_30_s_and_is_named() {
    let start = Instant::now();
    let output = run(&["--kafka", "127.0.0.1:1"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(last_line(&output).contains("no broker answers at 127.0.0.1:1"), "{}", last_line(&output));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn help_shows_examples_and_environment_variables() {
    let output = run(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for text in [
        "Examples:",
        "KAFKA_BOOTSTRAP_SERVERS",
        "MILLRACE_NOTIFIER_CONFIG",
        "--allow-private-destinations",
        "--admin-listen",
    ] {
        assert!(help.contains(text), "no {text} in\n{help}");
    }
    let output = run(&["--version"], &[]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("millrace-notifier {}\n", env!("CARGO_PKG_VERSION")));
}
