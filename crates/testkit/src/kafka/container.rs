//! A Kafka broker in a container.

use millrace_broker::apache::KAFKA_VERSION;

use crate::docker::Service;

/// A broker on this port. It connects to its own advertised listener, so the port is the same in the container.
pub(super) fn service(port: u16) -> Service {
    Service { image: format!("apache/kafka:{KAFKA_VERSION}"), port, environment: settings(port), arguments: Vec::new() }
}

/// The image reads `server.properties` from the environment.
fn settings(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("KAFKA_NODE_ID", "1".to_owned()),
        ("KAFKA_PROCESS_ROLES", "broker,controller".to_owned()),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093".to_owned()),
        ("KAFKA_LISTENERS", format!("PLAINTEXT://:{port},CONTROLLER://:9093")),
        ("KAFKA_ADVERTISED_LISTENERS", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER".to_owned()),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT".to_owned()),
        ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false".to_owned()),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0".to_owned()),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1".to_owned()),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1".to_owned()),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_port_is_advertised() {
        let Service { image, port, environment, .. } = service(15_001);
        assert_eq!((&*image, port), ("apache/kafka:4.1.0", 15_001));
        let advertised = ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://127.0.0.1:15001".to_owned());
        assert!(environment.contains(&advertised), "{environment:?}");
    }
}
