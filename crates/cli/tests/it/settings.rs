//! Wrong settings: exit code 2, and an error that names the flag or variable as the user wrote it.

use crate::millrace::Millrace;

async fn refused(command: Millrace, names: &[&str]) {
    let ended = command.run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for name in names {
        assert!(ended.stderr.contains(name), "no {name:?} in {ended:?}");
    }
}

#[tokio::test]
async fn a_wrong_value_is_named_by_its_flag_or_its_variable() {
    refused(Millrace::new(["tail", "events", "--kafka", "nonsense"]), &["--kafka", "nonsense"]).await;
    let with_variable = Millrace::new(["tail", "events"]).env("KAFKA_BOOTSTRAP_SERVERS", "nonsense");
    refused(with_variable, &["KAFKA_BOOTSTRAP_SERVERS", "nonsense"]).await;
    refused(Millrace::new(["tail", "events", "--from", "start"]), &["--from", "start"]).await;
    refused(Millrace::new(["replay", "events.dlq"]).env("MILLRACE_SINCE", "once"), &["MILLRACE_SINCE", "once"]).await;
    refused(Millrace::new(["replay", "events.dlq", "--class", "fatal"]), &["--class", "permanent"]).await;
    refused(Millrace::new(["replay", "events"]), &["events.dlq"]).await;
    refused(Millrace::new(["topology", "--format", "png"]), &["--format", "svg"]).await;
}

#[tokio::test]
async fn a_wrong_number_is_rejected_with_the_accepted_range() {
    let (load, tail, replay) = (&["load"][..], &["tail", "events"][..], &["replay", "events.dlq"][..]);
    let consume = &["consume", "notifier"][..];
    let flags = [
        (load, "--rate", "must be a whole number from 0 to 10000000"),
        (load, "--count", "must be a whole number, at least 1"),
        (load, "--connections", "must be a whole number from 1 to 65535"),
        (load, "--batch", "must be a whole number from 1 to 100000"),
        (load, "--seed", "must be a whole number, at least 0"),
        (load, "--duration", "write a number and its unit"),
        (load, "--timeout", "write a number and its unit"),
        (tail, "--count", "must be a whole number, at least 1"),
        (replay, "--rate", "must be a whole number from 1 to 1000000"),
        (replay, "--partition", "must be a whole number from 0 to 2147483647"),
        (consume, "--concurrency", "must be a whole number"),
        (consume, "--max-in-flight", "must be a whole number"),
        (consume, "--max-in-flight-bytes", "must be a whole number"),
        (consume, "--key-queue-records", "must be a whole number"),
        (consume, "--max-attempts", "must be a whole number"),
        (consume, "--dead-letter-limit", "must be a whole number"),
        (&["dev"], "--max-attempts", "must be a whole number"),
        (&["serve"], "--linger", "must be milliseconds"),
    ];
    for (command, flag, expected) in flags {
        for wrong in ["many", "-1", "1.5", "99999999999999999999999"] {
            let args = command.iter().copied().chain([flag, wrong]);
            let ended = Millrace::new(args).run().await;
            assert_eq!(ended.code, Some(2), "{ended:?}");
            let blamed = format!("error: invalid value '{wrong}' for '{flag} <");
            assert!(ended.stderr.starts_with(&blamed), "no {blamed:?} in {ended:?}");
            // A number beyond 64 bits is reported as too large.
            let is_explained = ended.stderr.contains(expected) || ended.stderr.contains("must be a smaller number");
            assert!(is_explained, "no {expected:?} in {ended:?}");
        }
    }
}

#[tokio::test]
async fn a_wrong_variable_is_reported_with_its_command() {
    let tail = Millrace::new(["tail", "events"]).env("MILLRACE_JSON", "report.json");
    refused(tail, &["'report.json' for 'MILLRACE_JSON' of 'millrace tail': must be true or false"]).await;
    let replay = Millrace::new(["replay", "events.dlq"]).env("MILLRACE_RATE", "0");
    refused(replay, &["'0' for 'MILLRACE_RATE' of 'millrace replay': must be a whole number from 1"]).await;
    let load = Millrace::new(["load"]).env("MILLRACE_COUNT", "all");
    refused(load, &["'all' for 'MILLRACE_COUNT' of 'millrace load': must be a whole number"]).await;
}

#[tokio::test]
async fn kafkas_security_settings_are_named_by_kafkas_names() {
    let tail = || Millrace::new(["tail", "events", "--kafka", "127.0.0.1:9"]);
    refused(tail().env("KAFKA_SASL_MECHANISM", "PLAIN"), &["KAFKA_SASL_USERNAME"]).await;
    refused(tail().env("KAFKA_SECURITY_PROTOCOL", "TLS"), &["KAFKA_SECURITY_PROTOCOL", "TLS"]).await;
    let tls = || tail().env("KAFKA_SECURITY_PROTOCOL", "SSL");
    let named = if cfg!(feature = "tls") { "KAFKA_SSL_CA_LOCATION" } else { "--features tls" };
    refused(tls().env("KAFKA_SSL_CA_LOCATION", "/no/such.pem"), &[named]).await;
}

#[tokio::test]
async fn without_a_broker_the_error_names_the_ways_to_set_it() {
    let ways = ["--kafka", "KAFKA_BOOTSTRAP_SERVERS", ".millrace/dev.json", "millrace dev"];
    refused(Millrace::new(["topology"]), &ways).await;
}

#[tokio::test]
async fn a_dev_that_no_longer_runs_is_reported() {
    // Another process has its pid by now.
    let pid = std::process::id();
    let file = format!(
        r#"{{"http": "http://127.0.0.1:1", "kafka": "127.0.0.1:1", "database": "sqlite:///m.db", "pid": {pid}}}"#
    );
    let expected = [&*format!("no longer runs (pid {pid})"), "here/dev.json"];
    refused(Millrace::new(["tail", "events", "--data-dir", "here"]).file("here/dev.json", &file), &expected).await;
}

#[tokio::test]
async fn help_has_examples_and_the_version_is_the_programs() {
    for command in ["tail", "replay", "topology", "consume"] {
        let help = Millrace::new([command, "--help"]).run().await.ok();
        assert!(help.contains("Examples:") && help.contains("KAFKA_BOOTSTRAP_SERVERS"), "{help}");
    }
    assert!(Millrace::new(["--help"]).run().await.ok().contains("Examples:"));
    let version = Millrace::new(["--version"]).run().await.ok();
    assert_eq!(version, format!("millrace {}\n", env!("CARGO_PKG_VERSION")));
}
