//! The recipes of docs/collector.md: what a block leaves out is 0 in the collector, and loses records.

use serde_json::{Value, json};

const PAGE: &str = include_str!("../../docs/collector.md");

/// The edge's limit of a request.
const REQUEST_LIMIT: u64 = 5 << 20;

fn recipes() -> [Value; 2] {
    let blocks = PAGE.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let recipes: Vec<Value> = blocks.map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    recipes.try_into().unwrap()
}

/// It never gives up, and waits longer and longer.
fn assert_tries_for_ever(backoff: &Value) {
    assert_eq!((&backoff["enabled"], &backoff["max_elapsed_time"]), (&json!(true), &json!(0)), "{backoff}");
    assert!(backoff["initial_interval"].is_string() && backoff["max_interval"].is_string(), "{backoff}");
    assert!(backoff["multiplier"].as_f64() > Some(1.0) && backoff["randomization_factor"].is_number(), "{backoff}");
}

#[test]
fn the_collector_in_front_keeps_what_it_cannot_send() {
    let [front, _] = recipes();
    let exporter = &front["exporters"]["otlp_http/millrace"];
    assert_tries_for_ever(&exporter["retry_on_failure"]);
    let url = exporter["logs_endpoint"].as_str().unwrap();
    assert!(url.starts_with("https://") && url.ends_with("/v1/logs"), "{url}");
    let queue = &exporter["sending_queue"];
    let storage = queue["storage"].as_str().unwrap();
    assert!(front["extensions"][storage]["directory"].is_string(), "{front}");
    assert_eq!((&queue["enabled"], &queue["block_on_overflow"]), (&json!(true), &json!(true)));
    let largest = queue["batch"]["max_size"].as_u64().unwrap();
    assert!(queue["batch"]["sizer"] == "bytes" && largest * 2 < REQUEST_LIMIT, "{queue}");
    assert_eq!(front["service"]["extensions"], json!([storage]));
    assert_eq!(
        front["service"]["pipelines"]["logs"],
        json!({"receivers": ["otlp"], "exporters": ["otlp_http/millrace"]})
    );
}

#[test]
fn the_collector_behind_commits_what_was_handed_on() {
    let [_, behind] = recipes();
    let receiver = &behind["receivers"]["kafka/millrace"];
    assert_tries_for_ever(&receiver["error_backoff"]);
    let marking = json!({"after": true, "on_error": false, "on_permanent_error": false});
    assert_eq!(receiver["message_marking"], marking);
    assert_eq!(receiver["initial_offset"], "earliest");
    let exporter = &behind["exporters"]["otlp_http/elsewhere"];
    for block in ["sending_queue", "retry_on_failure"] {
        assert_eq!(exporter[block], json!({"enabled": false}), "{block} would hide a failure from the receiver");
    }
    let pipeline = json!({"receivers": ["kafka/millrace"], "exporters": ["otlp_http/elsewhere"]});
    assert_eq!(behind["service"]["pipelines"]["logs"], pipeline);
}
