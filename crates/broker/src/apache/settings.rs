//! A broker's `server.properties`.
//!
//! Keys are those of Kafka's broker and topic configuration. Paths are relative to the broker's folder, its working
//! directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// `log.dirs` in a broker's folder.
pub(super) const PARTITIONS: &str = "partitions";

/// The ports of one broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ports {
    /// For clients and the other brokers.
    pub(super) clients: u16,
    /// For the controllers' quorum.
    pub(super) controller: u16,
}

/// Settings that all brokers of a cluster share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    /// Ports by broker; node ids count from 1 in the same order.
    pub(super) ports: &'a [Ports],
    pub(super) session_timeout: Duration,
    pub(super) min_insync_replicas: usize,
    /// Settings of the caller; they override all others.
    pub(super) extra: &'a BTreeMap<String, String>,
}

impl Shared<'_> {
    /// The file's text for the broker with this id.
    pub(super) fn properties(&self, id: i32, ports: Ports) -> String {
        let mut settings = self.defaults(id, ports);
        for (name, value) in self.extra {
            settings.insert(name, value.clone());
        }
        let mut text = String::new();
        for (name, value) in settings {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}={}", escape(name), escape(&value));
        }
        text
    }

    fn defaults(&self, id: i32, Ports { clients, controller }: Ports) -> BTreeMap<&str, String> {
        let size = self.ports.len();
        // A majority of the replicas, so that transactions and commits survive the loss of one of three brokers.
        let majority = size / 2 + 1;
        let voters: Vec<String> =
            self.ports.iter().zip(1..).map(|(ports, id)| format!("{id}@127.0.0.1:{}", ports.controller)).collect();
        let session_ms = self.session_timeout.as_millis();
        BTreeMap::from([
            ("process.roles", "broker,controller".to_owned()),
            ("node.id", id.to_string()),
            ("controller.quorum.voters", voters.join(",")),
            ("listeners", format!("PLAINTEXT://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}")),
            ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{clients}")),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
            ("log.dirs", PARTITIONS.to_owned()),
            ("auto.create.topics.enable", "false".to_owned()),
            ("default.replication.factor", size.to_string()),
            ("min.insync.replicas", self.min_insync_replicas.to_string()),
            ("offsets.topic.replication.factor", size.to_string()),
            // Kafka's default is 50 of each; fewer start and restart faster.
            ("offsets.topic.num.partitions", "8".to_owned()),
            ("transaction.state.log.num.partitions", "8".to_owned()),
            ("transaction.state.log.replication.factor", size.to_string()),
            ("transaction.state.log.min.isr", majority.to_string()),
            ("share.coordinator.state.topic.replication.factor", size.to_string()),
            ("share.coordinator.state.topic.min.isr", majority.to_string()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("broker.session.timeout.ms", session_ms.to_string()),
            ("broker.heartbeat.interval.ms", (session_ms / 8).max(1).to_string()),
        ])
    }
}

/// The ports in `properties` written for a broker.
pub(super) fn ports(properties: &str) -> Option<Ports> {
    let listeners = properties.lines().find_map(|line| line.strip_prefix("listeners="))?;
    let (clients, controller) = listeners.split_once(',')?;
    Some(Ports {
        clients: clients.strip_prefix("PLAINTEXT://127.0.0.1:")?.parse().ok()?,
        controller: controller.strip_prefix("CONTROLLER://127.0.0.1:")?.parse().ok()?,
    })
}

/// Escapes for `java.util.Properties.load`, which reads ISO 8859-1, trims, and treats `\` as an escape.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(plain @ b'!'..=b'~') if plain != b'\\' => escaped.push(char::from(plain)),
            _ => {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: [Ports; 3] = [
        Ports { clients: 1001, controller: 2001 },
        Ports { clients: 1002, controller: 2002 },
        Ports { clients: 1003, controller: 2003 },
    ];

    fn properties(size: usize, extra: &[(&str, &str)]) -> String {
        let extra = extra.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let shared = Shared {
            ports: &PORTS[..size],
            session_timeout: Duration::from_secs(4),
            min_insync_replicas: 1,
            extra: &extra,
        };
        shared.properties(1, PORTS[0])
    }

    #[test]
    fn one_broker_has_one_replica_of_internal_topics() {
        let text = properties(1, &[]);
        for line in [
            "controller.quorum.voters=1@127.0.0.1:2001",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn three_brokers_have_three_replicas_of_internal_topics() {
        let text = properties(3, &[]);
        for line in [
            "controller.quorum.voters=1@127.0.0.1:2001,2@127.0.0.1:2002,3@127.0.0.1:2003",
            "default.replication.factor=3",
            "offsets.topic.replication.factor=3",
            "transaction.state.log.replication.factor=3",
            "transaction.state.log.min.isr=2",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_setting_of_the_caller_overrides_the_default() {
        let text = properties(1, &[("auto.create.topics.enable", "true")]);
        assert!(text.contains("auto.create.topics.enable=true"));
        assert!(!text.contains("auto.create.topics.enable=false"));
    }

    #[test]
    fn a_value_cannot_inject_another_setting() {
        let text = properties(1, &[("log.message.format", "a\nnode.id=9\\")]);
        assert!(text.contains("log.message.format=a\\u000anode.id=9\\u005c\n"), "{text}");
    }

    #[test]
    fn the_ports_are_read_back_from_the_settings() {
        assert_eq!(ports(&properties(1, &[])), Some(PORTS[0]));
        assert_eq!(ports("listeners=SSL://0.0.0.0:9093\n"), None);
    }
}
