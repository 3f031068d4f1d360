//! The snapshot as tables.

use super::snapshot::Snapshot;
use crate::terminal_text::one_line;
use crate::text_table::write_table;

/// Shown for an unknown number.
const UNKNOWN: &str = "?";

/// The tables, one below the other.
pub(super) fn of(snapshot: &Snapshot) -> String {
    let Snapshot { bootstrap_servers, brokers, .. } = snapshot;
    let mut text = format!("{bootstrap_servers}, {brokers} {}\n", if *brokers == 1 { "broker" } else { "brokers" });
    let topics = snapshot.topics.iter().map(|(name, partitions)| [name.clone(), partitions.to_string()]);
    text.push('\n');
    write_table(&mut text, ["TOPIC", "PARTITIONS"], topics);
    let groups = snapshot.groups.iter().map(|group| {
        let topics: Vec<&str> = group.reads.keys().map(String::as_str).collect();
        let name = one_line(group.name.as_bytes()).to_string();
        let members = group.members.map_or_else(|| UNKNOWN.to_owned(), |members| members.to_string());
        let lag = group.lag().map_or_else(|| UNKNOWN.to_owned(), |lag| lag.to_string());
        [name, group.kind().to_owned(), members, lag, topics.join(", ")]
    });
    text.push('\n');
    write_table(&mut text, ["GROUP", "KIND", "MEMBERS", "LAG", "READS"], groups);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use millrace_kafka::admin::GroupKind;

    use super::super::snapshot::Group;
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let group = |name: &str, members, topic: &str| Group {
            name: name.to_owned(),
            kind: GroupKind::Classic,
            members: Some(members),
            reads: BTreeMap::from([(topic.to_owned(), 12)]),
        };
        let consumer = Group { kind: GroupKind::Consumer, ..group("new", 1, "a") };
        let share = Group { kind: GroupKind::Other, members: None, reads: BTreeMap::new(), ..group("shared", 0, "a") };
        let snapshot = Snapshot {
            bootstrap_servers: "127.0.0.1:9092".to_owned(),
            brokers: 1,
            topics: BTreeMap::from([("notifications".to_owned(), 6), ("a".to_owned(), 1)]),
            groups: vec![group("millrace-notifier", 2, "notifications"), consumer, share],
        };
        let expected = "\
127.0.0.1:9092, 1 broker

TOPIC          PARTITIONS
a              1
notifications  6

GROUP              KIND              MEMBERS  LAG  READS
millrace-notifier  classic           2        12   notifications
new                consumer          1        12   a
shared             share or streams  ?        ?
";
        assert_eq!(of(&snapshot), expected);
    }
}
