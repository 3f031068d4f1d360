//! The topic catalogue: every topic Millrace owns, read from `topics.json`, which Terraform and shell read as well.

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
    /// What its records are keyed by; `None` where they have no key.
    pub key: Option<String>,
    /// Number of partitions.
    pub partitions: i32,
    /// How long records are kept, in milliseconds.
    pub retention_ms: i64,
    /// Kafka's `cleanup.policy`.
    pub cleanup_policy: String,
    /// The largest record batch the broker takes, in bytes.
    pub max_message_bytes: u32,
    /// Where records go that a consumer refuses; `None` for a topic nobody here consumes.
    pub dead_letter_topic: Option<String>,
}

impl Topic {
    /// The settings as Kafka's topic configuration names them.
    pub fn config(&self) -> [(&'static str, String); 3] {
        [
            ("retention.ms", self.retention_ms.to_string()),
            ("cleanup.policy", self.cleanup_policy.clone()),
            ("max.message.bytes", self.max_message_bytes.to_string()),
        ]
    }
}

/// How every dead-letter topic is created.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetters {
    /// What is appended to the source topic's name.
    pub suffix: String,
    /// Number of partitions.
    pub partitions: i32,
    /// How long letters are kept, in milliseconds.
    pub retention_ms: i64,
    /// Kafka's `cleanup.policy`.
    pub cleanup_policy: String,
    /// The largest record batch the broker takes, in bytes: the largest source record and 64 KiB for the `dlq.*` headers.
    pub max_message_bytes: u32,
}

/// A consumer of this system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Its name; its group is `millrace-<name>`.
    pub name: String,
    /// The topics it reads.
    pub reads: Vec<String>,
    /// The topics it writes, dead letters left aside.
    pub writes: Vec<String>,
}

impl Consumer {
    /// Its consumer group.
    pub fn group(&self) -> String {
        format!("millrace-{}", self.name)
    }
}

/// All topics, and who reads them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// How dead-letter topics are created.
    pub dead_letters: DeadLetters,
    /// The topics that carry events, without their dead-letter topics.
    pub topics: Vec<Topic>,
    /// The consumers.
    pub consumers: Vec<Consumer>,
}

impl Catalogue {
    /// The topic of that name, dead-letter topics left aside.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    /// Every topic to create: the catalogue's own and their dead-letter topics.
    pub fn all(&self) -> Vec<Topic> {
        let letters = self
            .topics
            .iter()
            .filter_map(|topic| topic.dead_letter_topic.as_deref())
            .map(|name| self.dead_letter(name));
        self.topics.iter().cloned().chain(letters).collect()
    }

    /// The topic whose dead letters a topic holds.
    pub fn source_of(&self, letters: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.dead_letter_topic.as_deref() == Some(letters))
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
        // The file is part of this program and a test parses it: it cannot fail for a user.
        serde_json::from_str(SOURCE).expect("topics.json is a valid catalogue")
    });
    &CATALOGUE
}

/// The name of a topic's dead-letter topic, whether or not the catalogue knows the topic.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}{}", catalogue().dead_letters.suffix)
}

/// Whether a topic is named as dead-letter topics are.
pub fn is_dead_letter_topic(topic: &str) -> bool {
    topic.ends_with(catalogue().dead_letters.suffix.as_str())
}

/// The topic whose records a dead-letter topic holds, also where they were refused as dead letters once more; `None`
/// where a topic is not named as dead-letter topics are.
pub fn source_topic(letters: &str) -> Option<&str> {
    let source = letters.trim_end_matches(catalogue().dead_letters.suffix.as_str());
    (source.len() < letters.len() && !source.is_empty()).then_some(source)
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

    #[test]
    fn dead_letter_topics_are_named_after_their_source_and_take_its_largest_record_and_64_kib() {
        for topic in &catalogue().topics {
            if let Some(letters) = &topic.dead_letter_topic {
                assert_eq!(*letters, dead_letter_topic(&topic.name));
            }
            assert!(catalogue().dead_letters.max_message_bytes >= topic.max_message_bytes + 64 * 1024);
        }
    }

    #[test]
    fn consumers_read_and_write_topics_of_the_catalogue_and_refuse_into_a_dead_letter_topic() {
        for consumer in &catalogue().consumers {
            for name in &consumer.reads {
                let topic = catalogue().topic(name).unwrap_or_else(|| panic!("{name} is missing"));
                assert!(topic.dead_letter_topic.is_some(), "{name} is read, but has nowhere to refuse to");
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
