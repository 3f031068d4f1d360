//! The profiles monitoring and schema-registry.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::PROGRAMS;
use crate::stack::Stack;

const DASHBOARD: &str = include_str!("../../localstack/grafana/dashboards/millrace.json");

fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| queries(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

/// Every program is scraped, and a refused record is a mail.
#[tokio::test(flavor = "multi_thread")]
async fn alerts() {
    let services = [&PROGRAMS[..], &["mail", "prometheus", "alertmanager"]].concat();
    let stack = Stack::start_services("alerts", &["--profile", "monitoring"], &[], &services).await;
    let is_up = |found: &Value| {
        let targets = found["data"]["activeTargets"].as_array().unwrap().iter();
        let up =
            targets.filter(|target| target["health"] == "up").map(|target| target["labels"]["job"].as_str().unwrap());
        up.collect::<BTreeSet<_>>() == PROGRAMS.into_iter().collect()
    };
    stack.found_at("PROMETHEUS_PORT", "/api/v1/targets?state=active", is_up).await;

    // The second is another event under the first one's id.
    for body in [json!({"user_id": "1"}), json!({"user_id": "2"})] {
        assert!(stack.post("MILLRACE_PORT", "/register_event", "conflict", &body).await);
    }
    let is_alert = |mail: &Value| {
        mail["To"][0]["Address"] == "operations@example.com"
            && mail["Subject"].as_str().is_some_and(|subject| subject.contains("dead-letters"))
    };
    let is_mailed = |found: &Value| found["messages"].as_array().unwrap().iter().any(is_alert);
    stack.found_at("MAIL_PORT", "/api/v1/messages?limit=1000", is_mailed).await;

    let mut found = Vec::new();
    queries(&DASHBOARD.parse().unwrap(), &mut found);
    assert!(found.len() > 10, "{found:?}");
    for query in found {
        let url = reqwest::Url::parse_with_params(&stack.url("PROMETHEUS_PORT", "/api/v1/query"), [("query", &query)]);
        let answer = stack.http.get(url.unwrap()).send().await.unwrap().text().await.unwrap();
        let answer: Value = answer.parse().unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        if query.contains("dead_letters") {
            assert_ne!(answer["data"]["result"], json!([]), "{query}");
        }
    }
}

/// A client of Confluent's registry registers a schema, and finds it.
#[tokio::test(flavor = "multi_thread")]
async fn schemas() {
    let stack = Stack::start_services("schemas", &["--profile", "schema-registry"], &[], &["schema-registry"]).await;
    let subjects = "/apis/ccompat/v7/subjects";
    stack.found_at("SCHEMA_REGISTRY_PORT", subjects, Value::is_array).await;
    let draft = "http://json-schema.org/draft-07/schema#";
    let schema = json!({"$schema": draft, "type": "object", "required": ["user_id"]}).to_string();
    let body = json!({"schemaType": "JSON", "schema": schema});
    let path = format!("{subjects}/events-value/versions");
    assert!(stack.post("SCHEMA_REGISTRY_PORT", &path, "schema", &body).await);
    let latest = format!("{path}/latest");
    let registered = stack.found_at("SCHEMA_REGISTRY_PORT", &latest, |found| found["version"] == 1).await;
    assert_eq!(registered["schema"].as_str().unwrap().parse::<Value>().unwrap(), schema.parse::<Value>().unwrap());
}
