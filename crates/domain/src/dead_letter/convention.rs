//! Dead-letter headers of other frameworks, recognized by a header that each of them always writes.

use std::fmt;

/// A framework's convention for dead-letter headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// Spring for Apache Kafka, `DeadLetterPublishingRecoverer`.
    Spring,
    /// Spring Cloud Stream's Kafka binder, `enableDlq`.
    SpringCloudStream,
    /// Kafka Connect with context headers.
    Connect,
    /// Kafka Streams (KIP-1034).
    Streams,
    /// `SmallRye` Reactive Messaging, as in Quarkus.
    SmallRye,
    /// Kafka's own, for share groups (KIP-1191).
    ShareGroup,
}

impl Convention {
    const ALL: [Self; 6] =
        [Self::Spring, Self::SpringCloudStream, Self::Connect, Self::Streams, Self::SmallRye, Self::ShareGroup];

    /// The headers it is recognized by; all of them are present. Not by a prefix: `x-` is common in users' own headers.
    fn markers(self) -> &'static [&'static str] {
        match self {
            Self::Spring => &["kafka_dlt-original-topic"],
            Self::SpringCloudStream => &["x-original-topic", "x-original-offset"],
            Self::Connect => &["__connect.errors.topic"],
            Self::Streams => &["__streams.errors.topic"],
            Self::SmallRye => &["dead-letter-topic"],
            Self::ShareGroup => &["__dlq.errors.topic"],
        }
    }

    /// The conventions of these header names: a dead letter that several frameworks refused has several.
    pub fn of_headers(names: &[&str]) -> Vec<Self> {
        let has = |marker: &&str| names.contains(marker);
        Self::ALL.into_iter().filter(|convention| convention.markers().iter().all(has)).collect()
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Spring => "Spring Kafka",
            Self::SpringCloudStream => "Spring Cloud Stream",
            Self::Connect => "Kafka Connect",
            Self::Streams => "Kafka Streams",
            Self::SmallRye => "SmallRye",
            Self::ShareGroup => "a share group",
        };
        write!(f, "{name} ({})", self.markers().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_framework_is_recognized_by_its_own_header() {
        let of = Convention::of_headers;
        assert_eq!(of(&["ce_id", "kafka_dlt-original-topic", "kafka_dlt-original-offset"]), [Convention::Spring]);
        assert_eq!(of(&["x-original-offset", "x-original-topic"]), [Convention::SpringCloudStream]);
        assert_eq!(of(&["__connect.errors.topic"]), [Convention::Connect]);
        assert_eq!(of(&["__streams.errors.topic"]), [Convention::Streams]);
        assert_eq!(of(&["dead-letter-topic"]), [Convention::SmallRye]);
        assert_eq!(of(&["__dlq.errors.topic"]), [Convention::ShareGroup]);
        assert_eq!(of(&["dead-letter-topic", "__dlq.errors.topic"]), [Convention::SmallRye, Convention::ShareGroup]);
    }

    #[test]
    fn similar_header_names_are_not_recognized() {
        let names = ["x-original-topic", "kafka_dlt-exception-fqcn", "dead-letter-reason", "__connect.errors.stage"];
        assert_eq!(Convention::of_headers(&names), []);
    }
}
