//! `millrace cost`, and the figures of docs/costs.md.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::millrace::Millrace;

const FILE: &str = "../../docs/costs.md";

/// Around the part of the file that the test writes.
const MARKERS: [&str; 2] = ["<!-- Written by a test: -->\n", "<!-- until here. -->\n"];

/// Renews the file where it is set.
const RENEW: &str = "MILLRACE_RENEW_DOCS";

/// What the page shows: a column each.
const COLUMNS: [(&str, &[&str]); 6] = [
    ("production, 2,000/s, one a request", &[]),
    ("the same behind a load balancer", &["--edge", "load-balancer"]),
    ("API Gateway, 100 a request", &["--batch", "100"]),
    (
        "load balancer, 100 a request, rows for 7 days",
        &["--batch", "100", "--edge", "load-balancer", "--row-days", "7"],
    ),
    (
        "load balancer, 10,000/s log records of 300 bytes, 500 a request, 3 days on Kafka",
        &[
            "--kind",
            "log",
            "--rate",
            "10000",
            "--size",
            "300",
            "--batch",
            "500",
            "--edge",
            "load-balancer",
            "--record-days",
            "3",
        ],
    ),
    ("dev, 10/s", &["--example", "dev", "--rate", "10"]),
];

const STAGES: [&str; 7] = ["edge", "kafka", "consumers", "database", "lake", "network", "operations"];

async fn bill(arguments: &[&str]) -> Value {
    let arguments = ["cost", "--json"].into_iter().chain(arguments.iter().copied());
    serde_json::from_str(&Millrace::new(arguments).run().await.ok()).unwrap()
}

/// Whole dollars, with a comma between thousands.
fn grouped(dollars: f64) -> String {
    let text = format!("{dollars:.0}");
    let at = text.len().saturating_sub(3);
    if at == 0 { text } else { format!("{},{}", &text[..at], &text[at..]) }
}

async fn table() -> String {
    let mut bills = Vec::new();
    for (_, arguments) in COLUMNS {
        bills.push(bill(arguments).await);
    }
    let cell = |of: &Value| {
        let number = |name: &str| of[name].as_f64().unwrap();
        format!("${} · ${:.2}", grouped(number("dollars_a_month")), number("dollars_a_million_events"))
    };
    let mut text = String::from("| a month · a million events |");
    let columns = COLUMNS.iter().map(|(name, _)| format!(" {name} |"));
    text.extend(columns);
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(COLUMNS.len()));
    for stage in STAGES {
        write!(text, "\n| {stage} |").unwrap();
        for bill in &bills {
            // Only log records are in the lake.
            let of_stage = bill["stages"].get(stage).map_or_else(|| "–".to_owned(), &cell);
            write!(text, " {of_stage} |").unwrap();
        }
    }
    text.push_str("\n| **all** |");
    for bill in &bills {
        write!(text, " **{}** |", cell(bill)).unwrap();
    }
    writeln!(
        text,
        "\n\nPrices of {}, {}.",
        bills[0]["prices_as_of"].as_str().unwrap(),
        bills[0]["region"].as_str().unwrap()
    )
    .unwrap();
    text
}

#[tokio::test]
async fn the_page_of_costs_is_what_the_command_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(MARKERS[0]).expect("the file holds its first marker");
    let (written, after) = rest.split_once(MARKERS[1]).expect("the file holds its second marker");
    let table = table().await;
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&path, [before, MARKERS[0], &table, MARKERS[1], after].concat()).unwrap();
        return;
    }
    assert_eq!(table, written, "renew docs/costs.md: {RENEW}=1 cargo test -p millrace --test it cost");
}

/// The whole is its stages, and a stage its items.
#[tokio::test]
async fn the_json_adds_up() {
    let bill = bill(&["--rate", "500", "--kind", "log"]).await;
    let near = |one: f64, other: f64| (one - other).abs() < 1e-6 * one.max(1.0);
    let mut whole = 0.0;
    for stage in STAGES {
        let stage = &bill["stages"][stage];
        let items = stage["items"].as_array().unwrap().iter().map(|item| item["dollars_a_month"].as_f64().unwrap());
        let dollars = stage["dollars_a_month"].as_f64().unwrap();
        assert!(near(items.sum(), dollars), "{stage}");
        whole += dollars;
    }
    assert!(near(whole, bill["dollars_a_month"].as_f64().unwrap()), "{bill}");
    assert!(near(bill["million_events_a_month"].as_f64().unwrap(), 500.0 * 2.628), "{bill}");
}

/// A wrong setting is named by its flag and its variable, with what would be right.
#[tokio::test]
async fn an_unknown_region_or_file_is_named() {
    for (arguments, said) in [
        (&["--region", "mars-1"] as &[_], ["--region (MILLRACE_REGION)", "us-east-1"]),
        (&["--broker-type", "kafka.z9.tiny"], ["--broker-type (MILLRACE_BROKER_TYPE)", "kafka.m7g.large"]),
        (&["--batch", "5000", "--size", "262144"], ["--batch (MILLRACE_BATCH)", "5 MiB"]),
        (&["--prices", "/nowhere.json"], ["--prices (MILLRACE_PRICES)", "/nowhere.json"]),
    ] {
        let ended = Millrace::new(["cost"].into_iter().chain(arguments.iter().copied())).run().await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(said.iter().all(|part| ended.stderr.contains(part)), "{}", ended.stderr);
    }
}
