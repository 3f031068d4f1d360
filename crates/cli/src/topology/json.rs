//! The snapshot as JSON.

use serde::Serialize;

use super::flow::{edge_writes, writes};
use super::snapshot::Snapshot;

#[derive(Serialize)]
struct Topology<'a> {
    topics: Vec<Topic<'a>>,
    groups: Vec<Group<'a>>,
    edge: Edge<'a>,
}

#[derive(Serialize)]
struct Edge<'a> {
    writes: Vec<&'a str>,
}

#[derive(Serialize)]
struct Topic<'a> {
    name: &'a str,
    partitions: i32,
}

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    kind: &'a str,
    /// Null if unknown.
    members: Option<usize>,
    /// Null if the group commits no offsets.
    lag: Option<u64>,
    reads: Vec<&'a str>,
    writes: Vec<String>,
}

/// One JSON object.
pub(super) fn of(snapshot: &Snapshot) -> serde_json::Result<String> {
    let is_there = |topic: &&str| snapshot.topics.contains_key(*topic);
    let topics = snapshot.topics.iter().map(|(name, &partitions)| Topic { name, partitions });
    let groups = snapshot.groups.iter().map(|group| Group {
        name: &group.name,
        kind: group.kind(),
        members: group.members,
        lag: group.lag(),
        reads: group.reads.keys().map(String::as_str).collect(),
        writes: writes(group).into_iter().filter(|topic| is_there(&topic.as_str())).collect(),
    });
    let edge = Edge { writes: edge_writes().filter(is_there).collect() };
    let topology = Topology { topics: topics.collect(), groups: groups.collect(), edge };
    Ok(serde_json::to_string_pretty(&topology)? + "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::flow::tests::snapshot;
    use super::*;

    #[test]
    fn json_holds_what_the_graph_shows() {
        let topology: Value = serde_json::from_str(&of(&snapshot()).unwrap()).unwrap();
        assert_eq!(topology["edge"], json!({"writes": ["notifications", "orders"]}));
        let payments = json!({
            "name": "millrace-payments", "kind": "consumer", "members": 2, "lag": 0,
            "reads": ["orders"], "writes": ["orders.dlq", "payments"],
        });
        assert!(topology["groups"].as_array().unwrap().contains(&payments), "{topology:#}");
    }
}
