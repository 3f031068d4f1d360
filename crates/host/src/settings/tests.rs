use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::*;

/// A program with one of each kind of setting
#[derive(Debug, Parser)]
#[command(name = "program", version)]
struct Program {
    #[arg(long, global = true)]
    kafka: Option<String>,
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Loads
    Load(Load),
}

#[derive(Debug, clap::Args)]
struct Load {
    #[arg(long)]
    url: String,
    #[arg(long)]
    database: Option<String>,
    #[arg(long, value_parser = duration, default_value = "10s")]
    batch_age: Duration,
    #[arg(long)]
    count: Option<u64>,
    #[arg(long, value_parser = duration, conflicts_with = "count")]
    duration: Option<Duration>,
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8))]
    workers: Option<u32>,
    #[arg(long, value_parser = ["red", "green"])]
    colour: Option<String>,
    #[arg(long, value_delimiter = ',')]
    reason: Vec<String>,
    #[arg(long, env = "KAFKA_SECURITY_PROTOCOL")]
    security_protocol: Option<String>,
    topic: Option<String>,
}

fn parsed(args: &[&str], environment: &[(&str, &str)]) -> Result<Parsed<Load>, clap::Error> {
    let args = ["program", "load"].iter().chain(args);
    let environment = environment.iter().copied().collect();
    let parsed = try_parse_from::<Program>(args, &environment)?;
    let Subcommand::Load(load) = parsed.args.command;
    Ok(Parsed { args: load, origins: parsed.origins })
}

fn load(args: &[&str], environment: &[(&str, &str)]) -> Load {
    parsed(&[&["--url", "http://edge"], args].concat(), environment).unwrap_or_else(|error| panic!("{error}")).args
}

/// The error's text, after checking that it exits with 2.
fn refusal(args: &[&str], environment: &[(&str, &str)]) -> String {
    let error = parsed(&[&["--url", "http://edge"], args].concat(), environment).expect_err("the settings are wrong");
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

#[test]
fn a_flag_wins_over_its_variable_which_wins_over_the_default() {
    let environment = [("MILLRACE_BATCH_AGE", "20s")];
    assert_eq!(load(&[], &[]).batch_age, Duration::from_secs(10));
    assert_eq!(load(&[], &environment).batch_age, Duration::from_secs(20));
    assert_eq!(load(&["--batch-age", "30s"], &environment).batch_age, Duration::from_secs(30));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let load = load(&[], &[("MILLRACE_BATCH_AGE", ""), ("DATABASE_URL", "")]);
    assert_eq!(load.batch_age, Duration::from_secs(10));
    assert_eq!(load.database, None);
}

#[test]
fn kafka_and_the_database_have_the_usual_variables() {
    let environment = [
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:9092"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("MILLRACE_KAFKA", "ignored"),
        ("MILLRACE_DATABASE", "ignored"),
        ("KAFKA_SECURITY_PROTOCOL", "SSL"),
        ("MILLRACE_SECURITY_PROTOCOL", "ignored"),
    ]
    .into_iter()
    .collect();
    let args = ["program", "load", "--url", "http://edge"];

    let program = try_parse_from::<Program>(args, &environment).unwrap().args;

    let Subcommand::Load(load) = program.command;
    assert_eq!(program.kafka.as_deref(), Some("broker:9092"));
    assert_eq!(load.database.as_deref(), Some("sqlite::memory:"));
    assert_eq!(load.security_protocol.as_deref(), Some("SSL"));
}

#[test]
fn a_global_flag_after_the_subcommand_wins_over_its_variable() {
    let environment = [("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")].into_iter().collect();
    for args in [
        ["program", "--kafka", "other:9092", "load", "--url=http://edge"],
        ["program", "load", "--kafka", "other:9092", "--url=http://edge"],
    ] {
        let parsed = try_parse_from::<Program>(args, &environment).unwrap();
        assert_eq!(parsed.args.kafka.as_deref(), Some("other:9092"));
        assert_eq!(parsed.origins.name("kafka"), "--kafka");
    }
}

#[test]
fn a_required_flag_may_come_from_its_variable() {
    let parsed = parsed(&[], &[("MILLRACE_URL", "http://edge")]).unwrap();
    assert_eq!(parsed.args.url, "http://edge");
}

#[test]
fn a_missing_flag_is_named_whatever_variables_are_set() {
    let error = parsed(&[], &[("DATABASE_URL", "sqlite::memory:")]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--url <URL>"), "{error}");
}

#[test]
fn a_switch_reads_yes_and_no_from_its_variable() {
    for yes in ["true", "1", "yes", "on", "TRUE"] {
        assert!(load(&[], &[("MILLRACE_DRY_RUN", yes)]).dry_run, "{yes}");
    }
    for no in ["false", "0", "no", "off", ""] {
        assert!(!load(&[], &[("MILLRACE_DRY_RUN", no)]).dry_run, "{no}");
        assert!(load(&["--dry-run"], &[("MILLRACE_DRY_RUN", no)]).dry_run);
    }
    let error = refusal(&[], &[("MILLRACE_DRY_RUN", "perhaps")]);
    assert!(error.contains("'perhaps' for 'MILLRACE_DRY_RUN'"), "{error}");
}

#[test]
fn a_list_is_split_in_its_variable_as_in_its_flag() {
    let environment = [("MILLRACE_REASON", "late,wrong")];
    assert_eq!(load(&[], &environment).reason, ["late", "wrong"]);
    assert_eq!(load(&["--reason", "lost"], &environment).reason, ["lost"]);
}

#[test]
fn positional_arguments_have_no_variable() {
    assert_eq!(load(&[], &[("MILLRACE_TOPIC", "orders")]).topic, None);
}

#[test]
fn a_wrong_value_is_named_in_the_form_the_user_wrote() {
    let error = refusal(&[], &[("MILLRACE_BATCH_AGE", "ten")]);
    assert!(error.contains("'ten' for 'MILLRACE_BATCH_AGE' of 'program load': write a number"), "{error}");
    assert!(!error.contains("--batch-age"), "{error}");

    let error = refusal(&["--batch-age", "ten"], &[("MILLRACE_COUNT", "1")]);
    assert!(error.contains("'ten' for '--batch-age <BATCH_AGE>'"), "{error}");
}

#[test]
fn a_wrong_flag_is_blamed_before_wrong_variables() {
    let environment = [("MILLRACE_BATCH_AGE", "ten"), ("MILLRACE_COUNT", "many")];
    let error = refusal(&["--batch-age", "nine"], &environment);
    assert!(error.contains("'nine' for '--batch-age"), "{error}");

    let error = refusal(&[], &environment);
    assert!(error.contains("'ten' for 'MILLRACE_BATCH_AGE'"), "{error}");
}

#[test]
fn a_variable_that_a_flag_overrides_may_be_wrong() {
    let load = load(&["--count", "5"], &[("MILLRACE_COUNT", "many")]);
    assert_eq!(load.count, Some(5));
}

#[test]
fn a_variable_that_is_not_utf_8_is_named() {
    let environment = [("MILLRACE_URL", OsString::from_vec(vec![b'h', 0xff]))].into_iter().collect();
    let error = try_parse_from::<Program>(["program", "load"], &environment).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().starts_with("error: the value of 'MILLRACE_URL' is not UTF-8"), "{error}");
}

#[test]
fn a_flag_wins_over_the_variables_of_flags_it_conflicts_with() {
    let minute = load(&["--duration", "1m"], &[("MILLRACE_COUNT", "5")]);
    assert_eq!((minute.count, minute.duration), (None, Some(Duration::from_secs(60))));

    let five = load(&["--count", "5"], &[("MILLRACE_DURATION", "1m")]);
    assert_eq!((five.count, five.duration), (Some(5), None));
}

#[test]
fn two_variables_in_conflict_are_both_named() {
    let error = refusal(&[], &[("MILLRACE_COUNT", "5"), ("MILLRACE_DURATION", "1m")]);
    assert!(error.contains("MILLRACE_COUNT"), "{error}");
    assert!(error.contains("MILLRACE_DURATION"), "{error}");
}

#[test]
fn origins_name_each_setting_as_the_user_wrote_it() {
    let args = ["--url", "http://edge", "--count=5"];
    let environment = [("MILLRACE_BATCH_AGE", "1s"), ("KAFKA_SECURITY_PROTOCOL", "SSL")];
    let origins = parsed(&args, &environment).unwrap().origins;

    assert_eq!(origins.name("batch-age"), "MILLRACE_BATCH_AGE");
    assert_eq!(origins.name("security-protocol"), "KAFKA_SECURITY_PROTOCOL");
    assert_eq!(origins.name("count"), "--count");
    assert_eq!(origins.name("database"), "--database");
    assert_eq!(origins.origin("count"), &Origin::Flag);
    assert_eq!(origins.origin("database"), &Origin::Default);
    assert_eq!(origins.error("batch-age", "too short").to_string(), "MILLRACE_BATCH_AGE: too short");
}

#[test]
fn help_names_the_variables_and_hides_their_values() {
    let environment = [("DATABASE_URL", "postgres://millrace:secret@db"), ("MILLRACE_BATCH_AGE", "")];
    let error = parsed(&["--help"], &environment).unwrap_err();
    assert_eq!(error.exit_code(), 0);
    let help = error.to_string();
    for text in [
        "[env: DATABASE_URL]",
        "[env: KAFKA_BOOTSTRAP_SERVERS]",
        "[env: KAFKA_SECURITY_PROTOCOL]",
        "[env: MILLRACE_BATCH_AGE] [default: 10s]",
    ] {
        assert!(help.contains(text), "no {text} in\n{help}");
    }
    assert!(!help.contains("secret"), "{help}");
    assert!(!help.contains("MILLRACE_TOPIC"), "{help}");
    assert!(!help.contains("MILLRACE_HELP"), "{help}");
}

#[test]
fn a_program_without_a_subcommand_is_shown_its_help() {
    let environment = [("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")].into_iter().collect();
    let error = try_parse_from::<Program>(["program"], &environment).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("Usage: program"), "{error}");
}

/// Instead of the error of Rust's parser.
#[test]
fn a_wrong_number_is_rejected_with_what_is_accepted() {
    for (args, expected) in [
        (["--count", "x"], "'x' for '--count <COUNT>': must be a whole number\n"),
        (["--count", "-1"], "'-1' for '--count <COUNT>': must be a whole number\n"),
        (["--count", "99999999999999999999"], "must be a smaller number"),
        (["--workers", "0"], "'0' for '--workers <WORKERS>': must be a whole number from 1 to 8\n"),
    ] {
        let error = refusal(&args, &[]);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_wrong_variable_is_reported_with_its_command() {
    let error = refusal(&[], &[("MILLRACE_DRY_RUN", "report.json")]);
    assert!(error.contains("'report.json' for 'MILLRACE_DRY_RUN' of 'program load': must be true or false"), "{error}");
    let error = refusal(&[], &[("MILLRACE_WORKERS", "9")]);
    assert!(error.contains("'MILLRACE_WORKERS' of 'program load': must be a whole number from 1 to 8"), "{error}");
    let error = refusal(&[], &[("MILLRACE_COLOUR", "blue")]);
    assert!(error.contains("'MILLRACE_COLOUR' of 'program load': must be one of red, green"), "{error}");
}
