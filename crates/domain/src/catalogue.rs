//! The topic catalogue: every topic of Millrace, from `topics.json`, which Terraform and shell scripts read as well.

use std::sync::LazyLock;

use serde::Deserialize;

/// The catalogue file.
const SOURCE: &str = include_str!("../topics.json");

/// A topic and the settings it is created with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The topic's name.
    pub name: String,
    /// The field that keys its records; `None` where they have no key.
    pub key: Option<String>,
    /// Number of partitions.
    pub partitions: i32,
    /// Kafka's `retention.ms`.
    pub retention_ms: i64,
    /// Kafka's `cleanup.policy`.
    pub cleanup_policy: String,
    /// Kafka's `max.message.bytes`.
    pub max_message_bytes: u32,
    /// Its dead-letter topic; `None` for a topic without a consumer in Millrace.
    pub dead_letter_topic: Option<String>,
}

impl Topic {
    /// The topic configuration, by Kafka's names.
    pub fn config(&self) -> [(&'static str, String); 3] {
        [
            ("retention.ms", self.retention_ms.to_string()),
            ("cleanup.policy", self.cleanup_policy.clone()),
            ("max.message.bytes", self.max_message_bytes.to_string()),
        ]
    }
}

/// The settings that every dead-letter topic is created with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetters {
    /// The suffix to the source topic's name.
    pub suffix: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Kafka's `retention.ms`.
    pub retention_ms: i64,
    /// Kafka's `cleanup.policy`.
    pub cleanup_policy: String,
    /// Kafka's `max.message.bytes`: the largest source record and 64 KiB for the `dlq.*` headers.
    pub max_message_bytes: u32,
}

/// A consumer of Millrace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Its name; its group is `millrace-<name>`.
    pub name: String,
    /// The topics it reads.
    pub reads: Vec<String>,
    /// The topics it writes, without dead-letter topics.
    pub writes: Vec<String>,
}

impl Consumer {
    /// Its consumer group.
    pub fn group(&self) -> String {
        format!("millrace-{}", self.name)
    }
}

/// All topics and consumers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The settings of dead-letter topics.
    pub dead_letters: DeadLetters,
    /// The topics that carry events, without their dead-letter topics.
    pub topics: Vec<Topic>,
    /// The consumers.
    pub consumers: Vec<Consumer>,
}

impl Catalogue {
    /// The topic of this name, without dead-letter topics.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    /// Every topic to create: the catalogue's own and their dead-letter topics.
    pub fn all(&self) -> Vec<Topic> {
        let dead_letters = self
            .topics
            .iter()
            .filter_map(|topic| topic.dead_letter_topic.as_deref())
            .map(|name| self.dead_letter(name));
        self.topics.iter().cloned().chain(dead_letters).collect()
    }

    /// The source topic of a dead-letter topic.
    pub fn source_of(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.dead_letter_topic.as_deref() == Some(name))
    }

    fn dead_letter(&self, name: &str) -> Topic {
        Topic {
            name: name.to_owned(),
            key: None,
            partitions: self.dead_letters.partitions,
            retention_ms: self.dead_letters.retention_ms,
            cleanup_policy: self.dead_letters.cleanup_policy.clone(),
            max_message_bytes: self.dead_letters.max_message_bytes,
            dead_letter_topic: None,
        }
    }
}

/// The catalogue, parsed once.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
        // The file is compiled in and tests parse it: this cannot fail at run time.
        serde_json::from_str(SOURCE).expect("topics.json is a valid catalogue")
    });
    &CATALOGUE
}

/// The name of a topic's dead-letter topic, also of a topic that is not in the catalogue.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}{}", catalogue().dead_letters.suffix)
}

/// Whether a topic has the name of a dead-letter topic.
pub fn is_dead_letter_topic(topic: &str) -> bool {
    topic.ends_with(catalogue().dead_letters.suffix.as_str())
}

/// The source topic of a dead-letter topic, without every dead-letter suffix (of dead letters that were refused once
/// more); `None` where the name has no such suffix.
pub fn source_topic(name: &str) -> Option<&str> {
    let source = name.trim_end_matches(catalogue().dead_letters.suffix.as_str());
    (source.len() < name.len() && !source.is_empty()).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EVENT_TYPES;

    #[test]
    fn every_event_type_has_its_topic_in_the_catalogue() {
        for event_type in EVENT_TYPES {
            assert!(catalogue().topic(event_type.topic).is_some(), "{} is missing", event_type.topic);
        }
    }

    /// By name, and by size: the source's largest record and 64 KiB.
    #[test]
    fn dead_letter_topics_fit_their_source_topics() {
        for topic in &catalogue().topics {
            if let Some(dead_letters) = &topic.dead_letter_topic {
                assert_eq!(*dead_letters, dead_letter_topic(&topic.name));
            }
            assert!(catalogue().dead_letters.max_message_bytes >= topic.max_message_bytes + 64 * 1024);
        }
    }

    /// What they read has a dead-letter topic.
    #[test]
    fn consumers_use_topics_of_the_catalogue() {
        for consumer in &catalogue().consumers {
            for name in &consumer.reads {
                let topic = catalogue().topic(name).unwrap_or_else(|| panic!("{name} is missing"));
                assert!(topic.dead_letter_topic.is_some(), "{name} is consumed, but has no dead-letter topic");
            }
            assert!(consumer.writes.iter().all(|name| catalogue().topic(name).is_some()));
        }
    }

    #[test]
    fn topic_names_are_unique_and_topics_have_partitions() {
        let all = catalogue().all();
        let mut names: Vec<_> = all.iter().map(|topic| topic.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|topic| topic.partitions > 0 && topic.retention_ms > 0));
    }
}
