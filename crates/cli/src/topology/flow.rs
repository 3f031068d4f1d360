//! The flow as a graph: the edge, the topics it writes, the groups that read them, and the topics those write.

use std::collections::BTreeMap;

use millrace_domain::catalogue::{catalogue, dead_letter_topic, is_dead_letter_topic, source_topic};
use millrace_domain::event::EVENT_TYPES;
use millrace_kafka::admin::GroupKind;

use super::snapshot::{Group, Snapshot};
use crate::replay;

/// Kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The edge.
    Edge,
    /// A topic.
    Topic,
    /// A dead-letter topic.
    DeadLetters,
    /// A consumer group.
    Group,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its name.
    pub(super) name: String,
    /// Second line of its label.
    pub(super) note: String,
}

/// An arrow between two nodes, by their indices in [`Flow::nodes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    /// Source of the records.
    pub(super) from: usize,
    /// Target of the records.
    pub(super) to: usize,
    /// Its label; may be empty.
    pub(super) note: String,
}

/// The graph of edge, topics and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flow {
    /// The nodes.
    pub(super) nodes: Vec<Node>,
    /// The arrows.
    pub(super) arrows: Vec<Arrow>,
}

impl Flow {
    /// The graph of a snapshot. Dead-letter topics that no group writes or reads are left out.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut flow = Self::default();
        let edge = flow.add(Kind::Edge, "edge", "HTTPS".to_owned());
        let is_used = |topic: &str| snapshot.groups.iter().any(|group| touches(group, topic));
        let shown = snapshot.topics.iter().filter(|(name, _)| !is_dead_letter_topic(name) || is_used(name));
        let mut topics = BTreeMap::new();
        for (name, &partitions) in shown {
            let kind = if is_dead_letter_topic(name) { Kind::DeadLetters } else { Kind::Topic };
            let note = format!("{partitions} {}", if partitions == 1 { "partition" } else { "partitions" });
            topics.insert(name.as_str(), flow.add(kind, name, note));
        }
        for name in edge_writes() {
            flow.connect(Some(&edge), topics.get(name), String::new());
        }
        for group in &snapshot.groups {
            let reader = flow.add(Kind::Group, &group.name, members(group));
            for (topic, lag) in &group.reads {
                let note = if *lag > 0 { format!("lag {lag}") } else { String::new() };
                flow.connect(topics.get(topic.as_str()), Some(&reader), note);
            }
            for topic in writes(group) {
                flow.connect(Some(&reader), topics.get(topic.as_str()), String::new());
            }
        }
        flow
    }

    fn add(&mut self, kind: Kind, name: &str, note: String) -> usize {
        self.nodes.push(Node { kind, name: name.to_owned(), note });
        self.nodes.len() - 1
    }

    /// Adds an arrow if both nodes exist.
    fn connect(&mut self, from: Option<&usize>, to: Option<&usize>, note: String) {
        if let (Some(&from), Some(&to)) = (from, to) {
            self.arrows.push(Arrow { from, to, note });
        }
    }
}

fn members(group: &Group) -> String {
    let members = match group.members {
        None => "members unknown".to_owned(),
        Some(1) => "1 member".to_owned(),
        Some(members) => format!("{members} members"),
    };
    if group.kind == GroupKind::Classic { members } else { format!("{}: {members}", group.kind()) }
}

/// Topics that the edge writes.
pub(super) fn edge_writes() -> impl Iterator<Item = &'static str> {
    let mut topics: Vec<_> = EVENT_TYPES.iter().map(|event_type| event_type.topic).collect();
    topics.sort_unstable();
    topics.dedup();
    topics.into_iter()
}

/// Topics that a group writes: a consumer its outputs, as in the catalogue, and its dead-letter topics; a replay the
/// source topics.
pub(super) fn writes(group: &Group) -> Vec<String> {
    if group.name == replay::GROUP {
        return group.reads.keys().filter_map(|topic| source_topic(topic)).map(str::to_owned).collect();
    }
    let is_ours = group.name.starts_with("millrace-");
    let refused = group.reads.keys().filter(|topic| is_ours && !is_dead_letter_topic(topic));
    let consumer = catalogue().consumers.iter().find(|consumer| consumer.group() == group.name);
    let made = consumer.into_iter().flat_map(|consumer| consumer.writes.iter().cloned());
    refused.map(|topic| dead_letter_topic(topic)).chain(made).collect()
}

fn touches(group: &Group, topic: &str) -> bool {
    group.reads.contains_key(topic) || writes(group).iter().any(|written| written == topic)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A notifier with lag 1, payments, a replay, and a topic without a group.
    pub(in super::super) fn snapshot() -> Snapshot {
        let group = |name: &str, members, topic: &str, lag| Group {
            name: name.to_owned(),
            kind: GroupKind::Classic,
            members: Some(members),
            reads: BTreeMap::from([(topic.to_owned(), lag)]),
        };
        let topics = [
            ("notifications", 6),
            ("notifications.dlq", 1),
            ("orders", 6),
            ("orders.dlq", 1),
            ("payments", 6),
            ("payments.dlq", 1),
            ("metrics", 3),
        ];
        Snapshot {
            bootstrap_servers: "127.0.0.1:9092".to_owned(),
            brokers: 1,
            topics: topics.iter().map(|&(name, partitions)| (name.to_owned(), partitions)).collect(),
            groups: vec![
                group("millrace-notifier", 1, "notifications", 1),
                Group { kind: GroupKind::Consumer, ..group("millrace-payments", 2, "orders", 0) },
                group(replay::GROUP, 0, "notifications.dlq", 0),
            ],
        }
    }

    /// From the edge over topics to groups, and back from dead-letter topics.
    #[test]
    fn arrows_follow_the_flow_of_records() {
        let flow = Flow::of(&snapshot());
        let name = |index: usize| flow.nodes[index].name.as_str();
        let arrows: Vec<String> = flow
            .arrows
            .iter()
            .map(|arrow| format!("{} -> {} {}", name(arrow.from), name(arrow.to), arrow.note).trim_end().to_owned())
            .collect();
        assert_eq!(
            arrows,
            [
                "edge -> notifications",
                "edge -> orders",
                "notifications -> millrace-notifier lag 1",
                "millrace-notifier -> notifications.dlq",
                "orders -> millrace-payments",
                "millrace-payments -> orders.dlq",
                "millrace-payments -> payments",
                "notifications.dlq -> millrace-replay",
                "millrace-replay -> notifications",
            ]
        );
        let names: Vec<&str> = flow.nodes.iter().map(|node| node.name.as_str()).collect();
        assert!(names.contains(&"metrics") && !names.contains(&"payments.dlq"), "{names:?}");
        let note = |name: &str| flow.nodes.iter().find(|node| node.name == name).map(|node| node.note.as_str());
        assert_eq!(note("millrace-notifier"), Some("1 member"));
        assert_eq!(note("millrace-payments"), Some("consumer: 2 members"));
    }
}
