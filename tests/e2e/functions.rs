//! functions/functions.json, from which Terraform gives the functions their rights, against what they do.

use std::collections::BTreeSet;

use millrace_domain::event::EVENT_TYPES;
use serde_json::Value;

#[test]
fn the_edge_may_write_the_topics_of_its_event_types_alone() {
    let functions: Value = serde_json::from_str(include_str!("../../functions/functions.json")).unwrap();
    let may_write: BTreeSet<&str> =
        functions["api"]["writes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let writes: BTreeSet<&str> = EVENT_TYPES.iter().map(|kind| kind.topic).collect();
    assert_eq!(may_write, writes);
}
