use std::ffi::OsString;

use super::*;
use crate::delivery::Limits;

/// The environment of the examples in the default file.
fn environment(name: &str) -> Option<OsString> {
    let value = match name {
        "OPS_WEBHOOK_SECRET" => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "AUDIT_URL" | "SLACK_WEBHOOK_URL" | "TEAMS_WEBHOOK_URL" => "https://hooks.example.com/secret-token",
        "MAIL_PASSWORD" => "secret",
        "SHORT_SECRET" => "whsec_c2hvcnQ=",
        _ => return None,
    };
    Some(value.into())
}

fn parse(text: &str) -> Result<Plan, ConfigError> {
    Plan::parse(text, &environment).map_err(|problem| problem.in_file("notifier.toml"))
}

fn problem(text: &str) -> String {
    parse(text).map(|_| "the configuration is valid").unwrap_err().to_string()
}

/// The default file with its examples uncommented.
fn with_all_examples() -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.starts_with(' ') => example.to_owned(),
        _ => line.to_owned(),
    };
    DEFAULT_CONFIG.lines().map(|line| uncomment(line) + "\n").collect()
}

/// As [`with_all_examples`], without SNS, which needs a cargo feature.
fn with_examples() -> String {
    let all = with_all_examples();
    let (before, rest) = all.split_once("[destinations.fan-out]").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    format!("{before}{after}")
}

#[test]
fn the_default_sends_every_notification_to_the_console() {
    let plan = Plan::load(&Settings::default()).unwrap();
    assert!(matches!(&plan.destinations[..], [only] if matches!(only.channel, ChannelPlan::Console)));
    assert_eq!(plan.routes.destinations("anybody", "millrace.notification.requested"), [0]);
}

#[test]
fn the_examples_are_valid_and_show_the_defaults() {
    let text = with_examples();
    let plan = parse(&text).unwrap();

    let names: Vec<_> = plan.destinations.iter().map(|destination| destination.name.as_str()).collect();
    assert_eq!(names, ["audit", "console", "ops-mail", "ops-slack", "ops-teams", "ops-webhook"]);
    assert_eq!(plan.chains[5], [5, 2, 1], "ops-webhook, ops-mail, console");
    assert_eq!(plan.routes.destinations("12345", "millrace.notification.requested"), [1, 5, 0]);
    let shown = Limits { rate: Some((50.0, 10)), ..Limits::default() };
    assert_eq!(plan.destinations[5].limits, shown);
}

#[cfg(feature = "sns")]
#[test]
fn the_sns_example_is_valid() {
    let all = with_all_examples();
    let (_, rest) = all.split_once("[destinations.fan-out]").unwrap();
    let (example, _) = rest.split_once("\n\n").unwrap();
    let plan = parse(&format!("[destinations.fan-out]{example}\n[[routes]]\nto = [\"fan-out\"]\n")).unwrap();
    assert!(matches!(&plan.destinations[0].channel, ChannelPlan::Sns { .. }));
}

#[cfg(not(feature = "sns"))]
#[test]
fn sns_without_its_feature_names_the_feature() {
    let problem = problem(
        "[destinations.fan]\ntype = \"sns\"\ntopic_arn = \"arn:aws:sns:eu-central-1:1:t\"\n[[routes]]\nto = [\"fan\"]",
    );
    assert!(problem.starts_with("notifier.toml: destinations.fan.type: "), "{problem}");
    assert!(problem.contains("--features sns"), "{problem}");
}

/// The problem of a destination `a` of this type with these settings.
fn problem_with(kind: &str, settings: &str) -> String {
    problem(&format!("[destinations.a]\ntype = \"{kind}\"\n{settings}\n[[routes]]\nto = [\"a\"]"))
}

#[test]
fn each_problem_names_the_file_and_the_key() {
    let secret = "secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]";
    let mail = "from = \"a@b.org\"\nto = \"{user_id}@b.org\"";
    for (kind, settings, expected) in [
        ("pigeon", "", "destinations.a.type: unknown type \"pigeon\""),
        ("console", "colour = true", "destinations.a.colour: unknown field `colour`"),
        ("console", "fallback = [\"b\"]", "destinations.a.fallback: unknown destination \"b\", expected one of: a"),
        ("console", "fallback = [\"a\"]", "destinations.a.fallback: is a cycle: a -> a"),
        ("webhook", secret, "destinations.a.url: is missing (url or url_env)"),
        ("webhook", &format!("url = \"x\"\n{secret}"), "destinations.a.url: is not a URL"),
        ("webhook", &format!("url = \"ftp://x\"\n{secret}"), "destinations.a.url: must begin with https://"),
        (
            "webhook",
            &format!("url_env = \"NOT_SET\"\n{secret}"),
            "destinations.a.url_env: the environment variable NOT_SET is not set",
        ),
        (
            "webhook",
            &format!("url = \"https://x\"\nurl_env = \"AUDIT_URL\"\n{secret}"),
            "destinations.a.url: cannot be given together",
        ),
        ("webhook", "url = \"https://x\"", "destinations.a.secrets: is missing"),
        ("webhook", "url = \"https://x\"\nsecrets = [\"abc\"]", "destinations.a.secrets[0]: must be whsec_"),
        (
            "webhook",
            "url = \"https://x\"\nsecrets_env = [\"SHORT_SECRET\"]",
            "destinations.a.secrets_env[0] (SHORT_SECRET): must be whsec_",
        ),
        ("slack", "url = \"https://x\"\nchannel = \"#a\"", "destinations.a.channel: unknown field `channel`"),
        ("smtp", mail, "destinations.a: missing field `server`"),
        ("smtp", &format!("server = \"mail.b.org\"\n{mail}"), "destinations.a.server: \"mail.b.org\" is not a URL"),
        (
            "smtp",
            &format!("server = \"https://mail.b.org\"\n{mail}"),
            "destinations.a.server: must begin with smtps://",
        ),
        (
            "smtp",
            &format!("server = \"smtps://u:p@mail.b.org\"\n{mail}"),
            "destinations.a.server: must not contain credentials",
        ),
        (
            "smtp",
            &format!("server = \"smtps://mail.b.org\"\nusername = \"u\"\n{mail}"),
            "destinations.a.password: is missing",
        ),
        (
            "smtp",
            &format!("server = \"smtp://mail.b.org\"\nusername = \"u\"\npassword = \"p\"\n{mail}"),
            "destinations.a.server: must begin with smtps:// or smtp+starttls:// when a password is set",
        ),
        (
            "smtp",
            "server = \"smtps://b.org\"\nfrom = \"nobody\"\nto = \"a@b.org\"",
            "destinations.a.from: \"nobody\" is not a mail address",
        ),
        (
            "smtp",
            "server = \"smtps://b.org\"\nfrom = \"a@b.org\"\nto = \"{name}@b.org\"",
            "destinations.a.to: unknown placeholder {name}",
        ),
        (
            "smtp",
            "server = \"smtps://b.org\"\nfrom = \"a@b.org\"\nto = \"{user_id}\\r\\n@b.org\"",
            "destinations.a.to: ",
        ),
        (
            "smtp",
            &format!("server = \"smtps://b.org\"\nhello = \"my_host\"\n{mail}"),
            "destinations.a.hello: \"my_host\" is neither a domain name",
        ),
        (
            "smtp",
            &format!("server = \"smtps://b.org\"\nhello = \"192.0.2.1\"\n{mail}"),
            "destinations.a.hello: an address must be in brackets",
        ),
        ("console", "limits = { timeout = \"5\" }", "destinations.a.limits.timeout: invalid duration \"5\""),
        ("console", "limits = { timeout = \"0s\" }", "destinations.a.limits.timeout: must be longer"),
        ("console", "limits = { timeout = \"5m\" }", "destinations.a.limits.timeout: must be at most 60s"),
        ("console", "limits = { queue = -1 }", "destinations.a.limits.queue: invalid value"),
        ("console", "limits = { attempts = 0 }", "destinations.a.limits.attempts: must be at least 1"),
        ("console", "limits = { rate = 0.0 }", "destinations.a.limits.rate: must be between"),
        ("console", "limits = { burst = 3 }", "destinations.a.limits.burst: needs a rate"),
    ] {
        let found = problem_with(kind, settings);
        assert!(found.starts_with(&format!("notifier.toml: {expected}")), "{settings}\n  {found}");
        assert!(!found.contains('\n'), "{found}");
    }
}

#[test]
fn problems_outside_of_destinations_name_the_line_or_route() {
    let console = "[destinations.a]\ntype = \"console\"\n";
    for (text, expected) in [
        (
            format!("{console}[[routes]]\nto = [\"a\", \"b\"]"),
            "routes[0].to: unknown destination \"b\", expected one of: a",
        ),
        (format!("{console}[[routes]]\nto = []"), "routes[0].to: is empty"),
        (format!("{console}[[routes]]\nto = [\"a\"]\nusers = []"), "routes[0].users: is empty"),
        (format!("{console}[[routes]]\nto = [\"a\"]\nuser = \"x\""), "line 5: unknown field `user`"),
        (console.to_owned(), "routes: is missing"),
        (format!("{console}[[route]]\nto = [\"a\"]"), "line 3: unknown field `route`"),
        (format!("{console}to = ["), "line 3: "),
    ] {
        let found = problem(&text);
        assert!(found.starts_with(&format!("notifier.toml: {expected}")), "{text}\n  {found}");
    }
    let error = Plan::load(&Settings { notifier_config: Some("not-there.toml".into()), ..Settings::default() })
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("not-there.toml: cannot be read: "), "{error}");
}

#[test]
fn fallbacks_are_followed_in_order_and_cycles_are_named() {
    let destination =
        |name: &str, fallback: &str| format!("[destinations.{name}]\ntype = \"console\"\nfallback = {fallback}\n");
    let routes = "[[routes]]\nto = [\"a\"]\n";
    let diamond = [
        destination("a", r#"["b", "c"]"#),
        destination("b", r#"["d"]"#),
        destination("c", r#"["d"]"#),
        destination("d", "[]"),
    ];
    assert_eq!(parse(&format!("{}{routes}", diamond.concat())).unwrap().chains[0], [0, 1, 3, 2]);

    let cycle = [destination("a", r#"["b"]"#), destination("b", r#"["c"]"#), destination("c", r#"["b"]"#)];
    let found = problem(&format!("{}{routes}", cycle.concat()));
    assert_eq!(found, "notifier.toml: destinations.b.fallback: is a cycle: b -> c -> b");
}

#[test]
fn debug_output_has_no_secrets() {
    let plan = parse(&with_examples()).unwrap();
    let shown = format!("{:?}", plan.destinations);
    assert!(!shown.contains("whsec_") && !shown.contains("secret\""), "{shown}");
    assert!(!shown.contains("secret-token"), "{shown}");
}
