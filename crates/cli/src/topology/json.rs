//! The snapshot for other programs.

use serde::Serialize;

use super::snapshot::Snapshot;

#[derive(Serialize)]
struct Topology<'a> {
    topics: Vec<Topic<'a>>,
    groups: Vec<Group<'a>>,
}

#[derive(Serialize)]
struct Topic<'a> {
    name: &'a str,
    partitions: i32,
}

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    members: usize,
    lag: u64,
}

/// One JSON object.
pub(super) fn of(snapshot: &Snapshot) -> serde_json::Result<String> {
    let topics = snapshot.topics.iter().map(|(name, &partitions)| Topic { name, partitions });
    let groups = snapshot.groups.iter();
    let groups = groups.map(|group| Group { name: &group.name, members: group.members, lag: group.lag() });
    let topology = Topology { topics: topics.collect(), groups: groups.collect() };
    Ok(serde_json::to_string_pretty(&topology)? + "\n")
}
