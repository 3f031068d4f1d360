//! docker-compose.yml and what it mounts, against the rest of the repository. `tests/compose` starts it.

use std::collections::BTreeSet;
use std::process::Command;

use millrace_broker::apache::KAFKA_VERSION;
use millrace_domain::catalogue::{Consumer, catalogue};
use millrace_testkit::missing::skip;
use serde_json::{Map, Value};

const COMPOSE: &str = include_str!("../../docker-compose.yml");
const EXAMPLE: &str = include_str!("../../.env.example");
const RULES: &str = include_str!("../../localstack/prometheus/rules.yml");
const PROMETHEUS: &str = include_str!("../../localstack/prometheus/prometheus.yml");
const DASHBOARD: &str = include_str!("../../localstack/grafana/dashboards/millrace.json");

fn services() -> Map<String, Value> {
    let document: Value = serde_saphyr::from_str(COMPOSE).unwrap();
    document["services"].as_object().unwrap().clone()
}

/// The consumers that are programs: what login-insights-files does is in the program of login-insights.
pub(crate) fn programs() -> impl Iterator<Item = &'static Consumer> {
    catalogue().consumers.iter().filter(|consumer| consumer.name != "login-insights-files")
}

#[test]
fn every_consumer_of_the_catalogue_is_a_service_that_is_watched() {
    let services = services();
    let scraped: Value = serde_saphyr::from_str(PROMETHEUS).unwrap();
    let scraped = scraped["scrape_configs"].to_string();
    for name in programs().map(|consumer| &*consumer.name).chain(["edge"]) {
        let program = if name == "edge" { "millrace".to_owned() } else { format!("millrace-{name}") };
        let service = &services[name];
        assert_eq!(service["image"], format!("{program}:${{MILLRACE_TAG:-0.1.0}}"));
        assert_eq!(service["build"]["target"], program);
        assert_eq!(service["read_only"], true, "{name}");
        assert!(scraped.contains(&format!("{name:?}")), "Prometheus reads {name}");
        // One of a profile may be absent.
        let is_watched = RULES.contains(&format!("absent(up{{job={name:?}}})"));
        assert_eq!(is_watched, service["profiles"].is_null(), "the alert no-heartbeat watches {name}");
    }
}

#[test]
fn services_are_pinned_bounded_and_on_this_machine_alone() {
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.split_once(':').expect("a tag");
        assert!(!tag.is_empty() && tag != "latest", "{name}: {image}");
        assert!(service["mem_limit"].is_string(), "{name} has no memory limit");
        assert_eq!(service["restart"], "on-failure:10", "{name}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            assert!(value.is_string(), "{name}: {variable} is not quoted: compose may rewrite {value}");
        }
    }
    assert_eq!(services()["kafka"]["image"], format!("apache/kafka:{KAFKA_VERSION}"));
}

/// Every `${NAME:-default}` is a line `#NAME=default` of the example, and the other way round.
#[test]
fn the_example_lists_every_setting_with_its_default() {
    let used = COMPOSE.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0);
    let used = used.map(|setting| match setting.split_once(":-") {
        Some((name, default)) => (name, default),
        None => (setting.split(":+").next().unwrap(), ""),
    });
    // Compose itself knows the project's name, and KAFKA_BROKERS has a default where it is a number.
    let used: BTreeSet<_> = used.filter(|(name, default)| *name != "COMPOSE_PROJECT_NAME" && *default != "1").collect();
    let listed = EXAMPLE.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    let listed: BTreeSet<_> = listed.filter(|(name, default)| *name != "COMPOSE_PROFILES" && *default != "1").collect();
    assert_eq!(used, listed);
}

/// In docs/operations.md, which another test holds against what the programs say.
#[test]
fn rules_and_dashboard_use_metrics_that_exist() {
    const DOCUMENTATION: &str = include_str!("../../docs/operations.md");
    let text = format!("{RULES}{DASHBOARD}");
    let names = text.match_indices("millrace_").map(|(at, _)| {
        let name = text[at..].split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().unwrap();
        name.strip_suffix("_bucket").unwrap_or(name)
    });
    let names: BTreeSet<_> = names.collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(DOCUMENTATION.contains(&format!("`{name}")), "no metric {name} in docs/operations.md");
    }
}

#[test]
fn every_alert_has_an_entry_in_the_runbook() {
    const RUNBOOK: &str = include_str!("../../docs/runbook.md");
    let rules: Value = serde_saphyr::from_str(RULES).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert!(!rules.is_empty());
    for alert in rules.iter().map(|rule| rule["alert"].as_str().unwrap()) {
        assert!(RUNBOOK.contains(&format!("\n## {alert}\n")), "docs/runbook.md has no entry {alert}");
    }
}

/// By Prometheus's own checker, with series that are well and series that are not.
#[test]
fn alerts_are_raised_for_what_is_wrong_alone() {
    for arguments in
        [["check", "config", "../localstack/prometheus/prometheus.yml"], ["test", "rules", "compose/rules_test.yml"]]
    {
        let output = match Command::new("promtool").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output() {
            Ok(output) => output,
            Err(error) => return skip("promtool", &format!("it does not start ({error}); scripts/test installs it")),
        };
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "promtool {arguments:?}: {said}");
    }
}
