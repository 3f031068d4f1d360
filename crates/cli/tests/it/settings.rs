//! Wrong settings: exit code 2, and an error that names the flag and the variable.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::millrace::Millrace;

async fn refused(command: Millrace, names: &[&str]) {
    let ended = command.run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for name in names {
        assert!(ended.stderr.contains(name), "no {name:?} in {ended:?}");
    }
}

/// Whichever of the two was used.
#[tokio::test]
async fn a_wrong_value_is_named_by_its_flag_and_its_variable() {
    let (tail, replay) = (&["tail", "events"][..], &["replay", "events.dlq"][..]);
    for (command, flag, variable, wrong, hint) in [
        (tail, "--kafka", "KAFKA_BOOTSTRAP_SERVERS", "nonsense", "HOST:PORT"),
        (tail, "--from", "MILLRACE_FROM", "start", "beginning"),
        (tail, "--kafka-security-protocol", "KAFKA_SECURITY_PROTOCOL", "TLS", "SASL_SSL"),
        (replay, "--since", "MILLRACE_SINCE", "once", "2h"),
        (replay, "--class", "MILLRACE_CLASS", "fatal", "permanent"),
        (&["topology"], "--format", "MILLRACE_FORMAT", "png", "svg"),
        (&["load"], "--count", "MILLRACE_COUNT", "all", "must be a whole number"),
    ] {
        let by_flag = Millrace::new(command.iter().copied().chain([flag, wrong]));
        let by_variable = Millrace::new(command.iter().copied()).env(variable, wrong);
        for command in [by_flag, by_variable] {
            refused(command, &[wrong, flag, &format!(" ({variable})'"), hint]).await;
        }
    }
    refused(Millrace::new(["replay", "events"]), &["events.dlq"]).await;
}

#[tokio::test]
async fn a_variable_that_is_not_utf_8_is_named() {
    let not_utf_8 = OsStr::from_bytes(b"\xff");
    for variable in ["MILLRACE_COUNT", "KAFKA_SASL_USERNAME"] {
        let flag = if variable == "MILLRACE_COUNT" { "--count" } else { "--kafka-sasl-username" };
        let expected = format!("not UTF-8: the value of {flag} ({variable})");
        refused(Millrace::new(["tail", "events"]).env(variable, not_utf_8), &[&expected]).await;
    }
    // A folder may have any name, and a setting of another command is not read.
    let tail = Millrace::new(["tail", "events"]).env("MILLRACE_DATA_DIR", not_utf_8).env("MILLRACE_RATE", not_utf_8);
    refused(tail.env("MILLRACE_COUNT", not_utf_8), &["not UTF-8: the value of --count (MILLRACE_COUNT)\n"]).await;
}

#[tokio::test]
async fn a_switch_is_true_or_false_in_its_variable() {
    let tail = |value| Millrace::new(["tail", "events"]).env("MILLRACE_JSON", value);
    refused(tail("report.json"), &["'report.json' for '--json (MILLRACE_JSON)'"]).await;
    for value in ["true", "YES", "on", "1", "false", "no", "off", "0", ""] {
        refused(tail(value), &["no broker given"]).await;
    }
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let settings = ["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL", "MILLRACE_DATA_DIR", "MILLRACE_FROM"];
    let tail = settings.into_iter().fold(Millrace::new(["tail", "events"]), |tail, name| tail.env(name, ""));
    refused(tail, &["no broker given", ".millrace/dev.json"]).await;
}

#[tokio::test]
async fn a_wrong_number_is_rejected_with_the_accepted_range() {
    let (load, tail, replay) = (&["load"][..], &["tail", "events"][..], &["replay", "events.dlq"][..]);
    let consume = &["consume", "notifier"][..];
    let flags = [
        (load, "--rate", "must be a whole number from 0 to 10000000"),
        (load, "--count", "must be a whole number, at least 1"),
        (load, "--connections", "must be a whole number from 1 to 65535"),
        (load, "--batch", "must be a whole number from 1 to 81920"),
        (load, "--seed", "must be a whole number, at least 0"),
        (load, "--duration", "write a number and its unit"),
        (load, "--timeout", "write a number and its unit"),
        (tail, "--count", "must be a whole number, at least 1"),
        (replay, "--rate", "must be a whole number from 1 to 1000000"),
        (replay, "--partition", "must be a whole number from 0 to 2147483647"),
        (consume, "--concurrency", "must be a whole number, at least 1"),
        (consume, "--max-in-flight", "must be a whole number, at least 1"),
        (consume, "--max-in-flight-bytes", "must be a whole number, at least 1"),
        (consume, "--key-queue-records", "must be a whole number, at least 1"),
        (consume, "--max-attempts", "must be a whole number, at least 1"),
        (consume, "--dead-letter-limit", "must be a whole number, at least 0"),
        (&["dev"], "--max-spilled", "must be a whole number, at least 0"),
        (&["serve"], "--linger", "must be milliseconds"),
    ];
    for (command, flag, expected) in flags {
        for wrong in ["many", "-1", "1.5", "99999999999999999999999"] {
            let args = command.iter().copied().chain([flag, wrong]);
            let ended = Millrace::new(args).run().await;
            assert_eq!(ended.code, Some(2), "{ended:?}");
            let blamed = format!("error: invalid value '{wrong}' for '{flag} <");
            assert!(ended.stderr.starts_with(&blamed), "no {blamed:?} in {ended:?}");
            assert!(ended.stderr.contains(expected), "no {expected:?} in {ended:?}");
        }
    }
}

#[tokio::test]
async fn kafkas_security_settings_are_named_by_kafkas_names() {
    let tail = || Millrace::new(["tail", "events", "--kafka", "127.0.0.1:9"]);
    let missing = "error: --kafka-sasl-username (KAFKA_SASL_USERNAME): ";
    refused(tail().env("KAFKA_SASL_MECHANISM", "PLAIN"), &[missing]).await;
    let tls = || tail().env("KAFKA_SECURITY_PROTOCOL", "SSL");
    let named = if cfg!(feature = "tls") {
        "error: --kafka-ssl-ca-location (KAFKA_SSL_CA_LOCATION): "
    } else {
        "--features tls"
    };
    refused(tls().env("KAFKA_SSL_CA_LOCATION", "/no/such.pem"), &[named]).await;
}

#[tokio::test]
async fn without_a_broker_the_error_names_the_ways_to_set_it() {
    let ways = ["error: --kafka (KAFKA_BOOTSTRAP_SERVERS): no broker given", ".millrace/dev.json", "millrace dev"];
    refused(Millrace::new(["topology"]), &ways).await;
}

#[tokio::test]
async fn a_dev_that_no_longer_runs_is_reported() {
    // Another process has its pid by now.
    let pid = std::process::id();
    let file = format!(
        r#"{{"http": "http://127.0.0.1:1", "kafka": "127.0.0.1:1", "database": "sqlite:///m.db", "pid": {pid}}}"#
    );
    let expected = ["--data-dir (MILLRACE_DATA_DIR)", &format!("no longer runs (pid {pid})"), "here/dev.json"];
    refused(Millrace::new(["tail", "events", "--data-dir", "here"]).file("here/dev.json", &file), &expected).await;
}

#[tokio::test]
async fn help_has_examples_and_the_version_is_the_programs() {
    for command in ["tail", "replay", "topology", "consume"] {
        let help = Millrace::new([command, "--help"]).env("KAFKA_SASL_PASSWORD", "hidden").run().await.ok();
        assert!(help.contains("Examples:") && help.contains("[env: KAFKA_BOOTSTRAP_SERVERS]"), "{help}");
        assert!(help.contains("[env: KAFKA_SASL_PASSWORD]") && !help.contains("hidden"), "{help}");
    }
    assert!(Millrace::new(["--help"]).run().await.ok().contains("Examples:"));
    let version = Millrace::new(["--version"]).run().await.ok();
    assert_eq!(version, format!("millrace {}\n", env!("CARGO_PKG_VERSION")));
}
